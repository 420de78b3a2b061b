//! The guide: how to use Innkeeper, chapter by chapter. The reference is the rest of these pages.
//!
//! For whoever writes an application:
//!
//! - [First steps in your application](first_steps)
//! - [Your own parts, pages and sign-in](your_own): what you take apart, and replace
//! - [Addresses](addresses): what is answered to programs and to browsers
//!
//! For whoever runs it:
//!
//! - [Operating it](operator): in production, the embedded store, metrics and logs, the commands
//! - [To deploy it](deploy): nginx, systemd, Debian, containers, Prometheus and Grafana
//! - [The whole life of an installation](installation): update, backup, moving to Redis, a new password, removal
//! - [Settings](settings)
//! - [Redis and Upstash](redis)
//!
//! For whoever decides:
//!
//! - [Design and promises](design)
//! - [Against the alternatives](comparison): what differs, and how fast it is
//!
//! Each chapter is a file of `src/guide/` too, and can be read there.

// A chapter's links are defined twice: at its end for those who read the file, and here, before it, for these pages. The
// first definition counts.

#[doc = "[addresses]: self::addresses\n[operator]: self::operator\n[your_own]: self::your_own"]
#[doc = include_str!("first_steps.md")]
pub mod first_steps {}

#[doc = "[stage]: crate::stage()\n[stage_type]: crate::Stage\n[part]: crate::Part\n[log]: crate::Log"]
#[doc = "[launch]: crate::launch\n[store]: crate::SessionStore\n[sign_in]: crate::SignIn"]
#[doc = "[sign_out]: crate::SignOut\n[site]: crate::Site\n[settings]: self::settings"]
#[doc = include_str!("your_own.md")]
pub mod your_own {}

#[doc = include_str!("addresses.md")]
pub mod addresses {}

#[doc = "[deploy]: self::deploy\n[nginx]: self::deploy#nginxconf\n[redis]: self::redis\n[settings]: self::settings"]
#[doc = include_str!("operator.md")]
pub mod operator {}

#[doc = "[nginx]: #nginxconf\n[operator]: self::operator\n[redis]: self::redis\n[settings]: self::settings"]
#[doc = include_str!("deploy.md")]
#[doc = "## nginx.conf\n\n```nginx"]
#[doc = include_str!("../../examples/deploy/nginx.conf")]
#[doc = "```"]
pub mod deploy {}

#[doc = "[deploy]: self::deploy\n[in production]: self::operator#in-production\n[logs]: self::operator#metrics-and-logs"]
#[doc = "[redis]: self::redis#memory-and-persistence"]
#[doc = include_str!("installation.md")]
pub mod installation {}

#[doc = include_str!("settings.md")]
pub mod settings {}

#[doc = include_str!("redis.md")]
pub mod redis {}

#[doc = "[redis]: self::redis"]
#[doc = include_str!("design.md")]
pub mod design {}

#[doc = "[design]: self::design"]
#[doc = include_str!("comparison.md")]
pub mod comparison {}
