//! Stored hashes: ours, and those that were imported.

use std::fmt;

use argon2::password_hash::phc::{Output, Salt};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};

use super::queue::Blocks;

/// The most memory that an imported hash may need, in KiB.
const MAX_MEMORY: u32 = 256 * 1024;
/// The most that an imported hash may cost in all, in KiB times passes: 27 times our own.
const MAX_WORK: u64 = 1024 * 1024;
const MAX_BCRYPT_COST: u32 = 14;

/// The parameters of our own hashes (OWASP, password storage): 19 MiB, two passes, one lane.
pub(super) const OWN: Params = Params::DEFAULT;

/// A stored hash that can be verified.
#[derive(Clone)]
pub(in crate::account) enum StoredHash {
    Argon2(Argon2Hash),
    Bcrypt(String),
}

#[derive(Clone)]
pub(in crate::account) struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Salt,
    output: Output,
}

/// Why a stored hash cannot be verified. It does not quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::account) enum HashProblem {
    Unknown,
    Damaged,
    Argon2Cost,
    BcryptCost,
}

impl HashProblem {
    pub(in crate::account) fn text(self) -> &'static str {
        match self {
            Self::Unknown => {
                "the hash is neither argon2 in PHC format nor bcrypt ($2a$, $2b$ or $2y$)"
            }
            Self::Damaged => "the hash is damaged",
            Self::Argon2Cost => {
                "to verify the argon2 hash would cost more than 256 MiB, or 1 GiB in all passes"
            }
            Self::BcryptCost => "to verify the bcrypt hash would cost more than 14",
        }
    }
}

impl StoredHash {
    pub(in crate::account) fn parse(text: &str) -> Result<Self, HashProblem> {
        let is_bcrypt = ["$2a$", "$2b$", "$2y$"]
            .iter()
            .any(|id| text.starts_with(id));
        if is_bcrypt {
            let parts: bcrypt::HashParts = text.parse().map_err(|_| HashProblem::Damaged)?;
            if parts.get_cost() > MAX_BCRYPT_COST {
                return Err(HashProblem::BcryptCost);
            }
            return Ok(Self::Bcrypt(text.to_owned()));
        }
        if text.starts_with("$argon2") {
            return Argon2Hash::parse(text).map(Self::Argon2);
        }
        Err(HashProblem::Unknown)
    }

    /// Whether it was made as we make them, so that nothing is to be rewritten.
    pub(super) fn is_own(&self) -> bool {
        match self {
            Self::Argon2(hash) => hash.is_own(),
            Self::Bcrypt(_) => false,
        }
    }

    /// Whether verifying it needs more memory than our own.
    pub(super) fn is_large(&self) -> bool {
        match self {
            Self::Argon2(hash) => hash.params.m_cost() > OWN.m_cost(),
            Self::Bcrypt(_) => false,
        }
    }

    pub(super) fn verify(&self, password: &[u8], blocks: &mut Blocks) -> bool {
        match self {
            Self::Argon2(hash) => {
                let output = hash.compute(password, blocks);
                // Compared in constant time.
                output.is_some_and(|output| output == hash.output)
            }
            // As the program that made it: cut at 72 bytes.
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
        }
    }
}

/// Without the hash.
impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredHash(..)")
    }
}

impl Argon2Hash {
    /// A new hash of our own.
    pub(super) fn create(password: &[u8], salt: Salt, blocks: &mut Blocks) -> Option<PasswordHash> {
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        let output = compute(algorithm, version, &OWN, &salt, 32, password, blocks)?;
        Some(PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: (&OWN).try_into().ok()?,
            salt: Some(salt),
            hash: Some(output),
        })
    }

    fn parse(text: &str) -> Result<Self, HashProblem> {
        let hash = PasswordHash::new(text).map_err(|_| HashProblem::Damaged)?;
        let algorithm =
            Algorithm::try_from(hash.algorithm.as_str()).map_err(|_| HashProblem::Damaged)?;
        let version = match hash.version {
            // Hashes from before the version was written are of the first.
            None => Version::V0x10,
            Some(version) => Version::try_from(version).map_err(|_| HashProblem::Damaged)?,
        };
        let params = Params::try_from(&hash).map_err(|_| HashProblem::Damaged)?;
        let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
        if params.m_cost() > MAX_MEMORY || work > MAX_WORK {
            return Err(HashProblem::Argon2Cost);
        }
        let (Some(salt), Some(output)) = (hash.salt, hash.hash) else {
            return Err(HashProblem::Damaged);
        };
        Ok(Self {
            algorithm,
            version,
            params,
            salt,
            output,
        })
    }

    fn is_own(&self) -> bool {
        let same_cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        self.algorithm == Algorithm::Argon2id
            && self.version == Version::V0x13
            && same_cost(&self.params) == same_cost(&OWN)
            && self.output.len() == 32
            && self.salt.len() == 16
            && self.params.keyid().is_empty()
            && self.params.data().is_empty()
    }

    fn compute(&self, password: &[u8], blocks: &mut Blocks) -> Option<Output> {
        let Self {
            algorithm,
            version,
            params,
            salt,
            output,
        } = self;
        compute(
            *algorithm,
            *version,
            params,
            salt,
            output.len(),
            password,
            blocks,
        )
    }
}

fn compute(
    algorithm: Algorithm,
    version: Version,
    params: &Params,
    salt: &Salt,
    length: usize,
    password: &[u8],
    blocks: &mut Blocks,
) -> Option<Output> {
    if blocks.len() < params.block_count() {
        blocks.resize(params.block_count(), Block::new());
    }
    let mut output = [0; Output::MAX_LENGTH];
    let output = output.get_mut(..length)?;
    let argon2 = Argon2::new(algorithm, version, params.clone());
    argon2
        .hash_password_into_with_memory(password, salt, output, blocks.as_mut_slice())
        .ok()?;
    Output::new(output).ok()
}
