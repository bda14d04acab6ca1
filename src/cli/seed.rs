//! Seed files: 16 hexadecimal digits, a secret.

use anyhow::Context;

use super::args::SeedArgs;
use super::backend::Seed;
use super::failure::Refusal;

/// Longest seed file read, in bytes: its digits and some white space.
const FILE_BYTES_MAX: u64 = 256;

/// Reads the seed file, if one is named.
///
/// # Errors
/// Names the file and what is accepted, never what it holds.
pub(super) fn read(args: SeedArgs) -> anyhow::Result<Option<Seed>> {
    use std::io::Read as _;

    let Some(path) = args.seed_file else { return Ok(None) };
    let mut text = String::new();
    std::fs::File::open(&path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
        .with_context(|| format!("cannot read the seed file `{}`", path.display()))?;
    let digits = text.trim();
    let is_seed = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let seed = u64::from_str_radix(digits, 16).ok().filter(|_| is_seed).ok_or_else(|| {
        Refusal::new(
            format!("seed file `{}` holds no seed: expected 16 hexadecimal digits", path.display()),
            "make one with `openssl rand -hex 8 > FILE`, and keep it: the index cannot be used without it",
        )
    })?;
    Ok(Some(Seed(seed)))
}
