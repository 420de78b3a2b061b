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

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the reference implementation's own tests.
    const ARGON2: [&str; 4] = [
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
        "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ];

    /// Of libcrypt, for "correct horse battery staple".
    const BCRYPT: [&str; 3] = [
        "$2a$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG",
        "$2b$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG",
        "$2y$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG",
    ];

    /// Of libcrypt, for 80 digits.
    const LONG: &str = "$2y$04$abcdefghijklmnopqrstuum2G75IXDN/xsgbNa/hCiPSKyIHQd70S";

    fn verifies(hash: &str, password: &str) -> bool {
        let hash = StoredHash::parse(hash).unwrap();
        assert!(!hash.is_own());
        hash.verify(password.as_bytes(), &mut Blocks::new())
    }

    #[test]
    fn hashes_of_other_programs_are_verified() {
        for hash in ARGON2 {
            assert!(verifies(hash, "password"), "{hash}");
            assert!(!verifies(hash, "passwore"), "{hash}");
        }
        for hash in BCRYPT {
            assert!(verifies(hash, "correct horse battery staple"), "{hash}");
            assert!(!verifies(hash, "correct horse battery stapl"), "{hash}");
        }
    }

    #[test]
    fn bcrypt_looks_at_72_bytes() {
        let password = "0123456789".repeat(8);
        assert!(verifies(LONG, &password));
        assert!(verifies(LONG, &password[..72]));
        assert!(!verifies(LONG, &password[..71]));
    }

    #[test]
    fn our_own_hashes_are_argon2id_as_owasp_says() {
        let mut blocks = Blocks::new();
        let create = |blocks: &mut Blocks| {
            let hash = Argon2Hash::create(b"vexing quartz", Salt::generate(), blocks);
            hash.unwrap().to_string()
        };
        let (one, two) = (create(&mut blocks), create(&mut blocks));
        assert_ne!(one, two);
        assert_eq!(blocks.len(), 19456);
        for text in [one, two] {
            assert!(
                text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
                "{text}"
            );
            let hash = StoredHash::parse(&text).unwrap();
            assert!(hash.is_own() && !hash.is_large());
            assert!(hash.verify(b"vexing quartz", &mut blocks));
            assert!(!hash.verify(b"vexing quart", &mut blocks));
            assert!(!format!("{hash:?}").contains("argon2"), "{hash:?}");
        }
    }

    #[test]
    fn a_hash_that_costs_too_much_is_refused() {
        let argon2 = |params: &str| {
            StoredHash::parse(&format!(
                "$argon2id$v=19${params}$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
            ))
            .map(drop)
        };
        for allowed in [
            "m=8,t=1,p=1",
            "m=262144,t=4,p=4",
            "m=102400,t=2,p=8",
            "m=7168,t=5,p=1",
        ] {
            assert_eq!(argon2(allowed), Ok(()), "{allowed}");
        }
        for costly in [
            "m=262145,t=1,p=1",
            "m=262144,t=5,p=1",
            "m=8,t=4294967295,p=1",
            "m=4294967295,t=1,p=1",
        ] {
            assert_eq!(argon2(costly), Err(HashProblem::Argon2Cost), "{costly}");
        }
        let costs = |cost| {
            let hash = BCRYPT[1].replace("$04$", cost);
            StoredHash::parse(&hash).map(drop)
        };
        assert_eq!(costs("$14$"), Ok(()));
        for costly in ["$15$", "$31$", "$99$"] {
            assert_eq!(costs(costly), Err(HashProblem::BcryptCost));
        }
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for text in [
            "",
            "password",
            "{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=",
            "$apr1$abc$abc",
            "$2x$04$abc",
            "$6$abc$abc",
        ] {
            assert_eq!(
                StoredHash::parse(text).map(drop),
                Err(HashProblem::Unknown),
                "{text}"
            );
        }
        let cut = &BCRYPT[1][..59];
        for text in [
            cut,
            "$2y$",
            "$2b$04$\u{e9}",
            "$argon2",
            "$argon2id$",
            "$argon2id$v=19$m=8,t=1,p=1",
            "$argon2id$v=20$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2x$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        ] {
            assert_eq!(
                StoredHash::parse(text).map(drop),
                Err(HashProblem::Damaged),
                "{text}"
            );
        }
    }
}
