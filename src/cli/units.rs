//! Numbers for people, both ways: sizes, counts, shares and durations.

use std::time::Duration;

/// What [`parse_bytes`] accepts, for messages.
const SIZE_EXPECTED: &str = "expected a whole number of bytes, or one with a unit: `512KiB`, `256MiB`, `2GiB` \
                             (`k`, `m`, `g`, `t` mean the same), or `500MB` for powers of ten";

/// Parses a size such as `256MiB`, `2GiB`, `1g`, `500MB` or `4096`, in any case.
///
/// `K`, `KiB` and so on are powers of 1024, as memory is counted; `KB` and so on are powers of 1000, as disks are sold.
///
/// # Errors
/// A sentence that says what is accepted.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(SIZE_EXPECTED.to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| SIZE_EXPECTED.to_owned())?;
    number.checked_mul(factor).filter(|&bytes| bytes > 0).ok_or_else(|| SIZE_EXPECTED.to_owned())
}

/// Writes a size with two or three digits and a decimal unit: `812 bytes`, `1.2 MB`, `85 GB`.
pub(super) fn bytes(n: u64) -> String {
    scaled(n as f64).unwrap_or_else(|| counted(n, "byte"))
}

/// Writes a speed: `85 MB/s`.
pub(super) fn bytes_per_second(n: u64, elapsed: Duration) -> String {
    let rate = n as f64 / elapsed.as_secs_f64().max(0.001);
    format!("{}/s", scaled(rate).unwrap_or_else(|| format!("{rate:.0} bytes")))
}

fn scaled(n: f64) -> Option<String> {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    let mut value = n;
    let mut unit = None;
    // 999.5 would be written as 1000 of the smaller unit.
    for name in UNITS {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = Some(name);
    }
    unit.map(|unit| if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") })
}

/// Writes a number with a comma between thousands: `1,234,567`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Writes a number with its noun: `1 document`, `1,234 documents`.
pub(super) fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Writes a share as a whole percentage, rounded down, so that only what is whole is called 100 %.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", (share.clamp(0.0, 1.0) * 100.0 + 1e-9).floor())
}

/// Writes a duration in the unit a person would use: `40 ms`, `1.2 s`, `3 min 20 s`, `2 h 05 min`.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_parse_in_the_spellings_people_use() {
        for (text, expected) in [
            ("4096", Some(4096)),
            ("1b", Some(1)),
            ("256MiB", Some(256 << 20)),
            ("2GiB", Some(2 << 30)),
            ("1g", Some(1 << 30)),
            ("1G", Some(1 << 30)),
            ("512 KiB", Some(512 << 10)),
            ("500MB", Some(500_000_000)),
            ("3t", Some(3 << 40)),
            ("", None),
            ("0", None),
            ("g", None),
            ("1.5g", None),
            ("-1", None),
            ("2GiBs", None),
            ("2 apples", None),
            ("99999999999999999999", None),
            ("99999999999t", None),
        ] {
            assert_eq!(parse_bytes(text).ok(), expected, "{text}");
        }
        assert!(parse_bytes("much").expect_err("no number").contains("256MiB"));
    }

    #[test]
    fn numbers_read_well() {
        for (n, expected) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (9_949, "9.9 kB"),
            (9_951, "10 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (25_100_000_000, "25 GB"),
        ] {
            assert_eq!(bytes(n), expected);
        }
        for (n, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(n), expected);
        }
        for (share, expected) in [(1.0, "100 %"), (0.999, "99 %"), (0.29, "29 %"), (7.0, "100 %"), (f64::NAN, "NaN %")]
        {
            assert_eq!(percent(share), expected);
        }
        for (ms, expected) in
            [(40, "40 ms"), (1_240, "1.2 s"), (59_900, "59 s"), (200_000, "3 min 20 s"), (7_500_000, "2 h 05 min")]
        {
            assert_eq!(duration(Duration::from_millis(ms)), expected);
        }
        assert_eq!(counted(1, "word"), "1 word");
        assert_eq!(bytes_per_second(85_000_000, Duration::from_secs(1)), "85 MB/s");
    }
}
