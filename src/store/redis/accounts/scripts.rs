//! The scripts. Each is one atomic step on the one key that it is given, and may be executed twice.

/// Answers whether the account was written, now or by the lost first try of this very call. A name is taken by a key of any
/// type.
pub(super) const ADD: &str = r"
if redis.call('EXISTS', KEYS[1]) == 1 then
  if redis.pcall('HGET', KEYS[1], 'created') ~= ARGV[1] then return 0 end
  if (redis.call('HGET', KEYS[1], 'password') or '') ~= ARGV[3] then return 0 end
  return 1
end
redis.call('HSET', KEYS[1], 'created', ARGV[1], 'changed', ARGV[2])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'password', ARGV[3]) end
if ARGV[4] == '1' then redis.call('HSET', KEYS[1], 'disabled', '1') end
return 1
";

pub(super) const BEGIN_CHANGE: &str = r"
if redis.call('HEXISTS', KEYS[1], 'created') == 0 then return 0 end
local time = redis.call('TIME')
local over = string.format('%.6f', time[1] + time[2] / 1000000 + ARGV[2])
redis.call('HSET', KEYS[1], '_change', ARGV[1], '_change_until', over)
return 1
";

pub(super) const CANCEL_CHANGE: &str = r"
if redis.call('HGET', KEYS[1], '_change') == ARGV[1] then
  redis.call('HDEL', KEYS[1], '_change', '_change_until')
end
";

/// Answers 0 if there is no account, 1 if it is done, 2 if the change is not the running one. The hash has a salt, so it
/// stands there already only where the first try's reply was lost.
pub(super) const SET_PASSWORD: &str = r"
if redis.call('HEXISTS', KEYS[1], 'created') == 0 then return 0 end
if redis.call('HGET', KEYS[1], 'password') == ARGV[2] then return 1 end
if redis.call('HGET', KEYS[1], '_change') ~= ARGV[1] then return 2 end
local time = redis.call('TIME')
local over = tonumber(redis.call('HGET', KEYS[1], '_change_until') or '0')
if over <= time[1] + time[2] / 1000000 then return 2 end
redis.call('HSET', KEYS[1], 'password', ARGV[2], 'changed', ARGV[3])
redis.call('HDEL', KEYS[1], '_change', '_change_until')
return 1
";

pub(super) const REHASH: &str = r"
if redis.call('HGET', KEYS[1], 'password') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'password', ARGV[2])
end
";

pub(super) const SET_DISABLED: &str = r"
if redis.call('HEXISTS', KEYS[1], 'created') == 0 then return 0 end
if ARGV[1] == '1' then redis.call('HSET', KEYS[1], 'disabled', '1')
else redis.call('HDEL', KEYS[1], 'disabled') end
return 1
";

pub(super) const REMOVE: &str = r"
if redis.call('HGET', KEYS[1], 'created') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
";

/// Leaves one that was taken as it is, unless it is given back: `ARGV[5]`.
pub(super) const INVITE: &str = r"
if ARGV[5] == '0' and redis.call('HEXISTS', KEYS[1], '_taken') == 1 then return end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'purpose', ARGV[2])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'user', ARGV[3]) end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'stamp', ARGV[4]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
";

/// Answers the fields, if the invitation is this taker's: `ARGV[1]`.
pub(super) const TAKE_INVITATION: &str = r"
local taken = redis.call('HGET', KEYS[1], '_taken')
if taken and taken ~= ARGV[1] then return {} end
if not taken then
  if redis.call('HEXISTS', KEYS[1], 'purpose') == 0 then return {} end
  redis.call('HSET', KEYS[1], '_taken', ARGV[1])
  if redis.call('PTTL', KEYS[1]) > ARGV[2] * 1000 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
end
return redis.call('HGETALL', KEYS[1])
";
