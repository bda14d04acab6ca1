//! Tables for people; the same figures go to a file as lines of JSON.

use super::growth::{Cold, Measured, Overlap, Warm};
use super::host::Counter;

const MB: f64 = 1e6;

/// Prints all tables.
pub(crate) fn print(sizes: &[Measured]) {
    println!("\nBuild");
    println!(
        "{:>9} {:>10} {:>9} {:>9} {:>11} {:>13} {:>7}",
        "text MB", "documents", "MB/s", "ns CPU/B", "instr./B", "anonymous MB", "B/B"
    );
    for size in sizes {
        let build = &size.build;
        let text_bytes = build.text_bytes as f64;
        let instructions = size.instructions.map_or_else(
            || "-".to_owned(),
            |(n, counter)| {
                let mark = if counter == Counter::Cachegrind { "*" } else { "" };
                format!("{:.1}{mark}", n as f64 / text_bytes)
            },
        );
        let index_bytes: u64 = size.index_bytes.values().sum();
        println!(
            "{:>9.1} {:>10} {:>9.1} {:>9.2} {:>11} {:>13.1} {:>7.3}",
            text_bytes / MB,
            build.n_docs,
            text_bytes / MB / build.wall_s,
            build.cpu_s * 1e9 / text_bytes,
            instructions,
            build.peak_anonymous_bytes as f64 / MB,
            index_bytes as f64 / text_bytes,
        );
    }
    if sizes.iter().any(|size| matches!(size.instructions, Some((_, Counter::Cachegrind)))) {
        println!("* counted by cachegrind, whose processor has no AVX-512");
    }

    println!("\nBytes of the index per byte of text");
    let names: std::collections::BTreeSet<&String> = sizes.iter().flat_map(|size| size.index_bytes.keys()).collect();
    print!("{:>9}", "text MB");
    for name in &names {
        print!(" {name:>15}");
    }
    println!();
    for size in sizes {
        let text_bytes = size.build.text_bytes as f64;
        print!("{:>9.1}", text_bytes / MB);
        for name in &names {
            print!(" {:>15.4}", size.index_bytes.get(*name).copied().unwrap_or(0) as f64 / text_bytes);
        }
        println!();
    }

    println!("\nLookup of an anchor, warm, ns of CPU time; words of strangers' texts that the index knows by chance");
    println!("{:>9} {:>9} {:>9} {:>9}", "text MB", "present", "absent", "known %");
    for size in sizes {
        let [present, absent] = size.lookup_ns;
        println!(
            "{:>9.1} {present:>9.0} {absent:>9.0} {:>9.3}",
            size.build.text_bytes as f64 / MB,
            size.chance_hits * 100.0
        );
    }

    println!("\nChecks of 2 KB, warm, one thread, ms");
    println!(
        "{:>9} {:<25} {:>8} {:>8} {:>8} {:>9} {:>9} {:>8} {:>8} {:>8} {:>9}",
        "text MB",
        "text holds",
        "lexical",
        "CPU p50",
        "CPU p99",
        "wall p50",
        "wall p99",
        "found %",
        "overlap",
        "p10",
        "flagged %"
    );
    for size in sizes {
        for warm in &size.warm {
            print_warm(size, warm);
        }
    }

    if sizes.iter().all(|size| size.cold.is_empty()) {
        return;
    }
    println!(
        "\nChecks of 2 KB, cold: index reopened, none of its pages in memory; wall ms, and KB read from disk by the check"
    );
    println!(
        "{:>9} {:<25} {:>8} {:>9} {:>9} {:>9} {:>10} {:>8}",
        "text MB", "text holds", "lexical", "prefetch", "p50", "p99", "open p50", "KB read"
    );
    for size in sizes {
        for cold in &size.cold {
            print_cold(size, cold);
        }
    }
}

fn on_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

fn print_warm(size: &Measured, warm: &Warm) {
    let fit =
        |figure: fn(Overlap) -> f64| warm.overlap.map_or("-".to_owned(), |overlap| format!("{:.2}", figure(overlap)));
    let per_cent = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.1}", share * 100.0));
    println!(
        "{:>9.1} {:<25} {:>8} {:>8.3} {:>8.3} {:>9.3} {:>9.3} {:>8} {:>8} {:>8} {:>9}",
        size.build.text_bytes as f64 / MB,
        warm.kind.name(),
        on_off(warm.is_lexical),
        warm.cpu_us.p50 / 1e3,
        warm.cpu_us.p99 / 1e3,
        warm.wall_us.p50 / 1e3,
        warm.wall_us.p99 / 1e3,
        per_cent(warm.found),
        fit(|overlap| overlap.mean),
        fit(|overlap| overlap.p10),
        per_cent(Some(warm.flagged)),
    );
}

fn print_cold(size: &Measured, cold: &Cold) {
    println!(
        "{:>9.1} {:<25} {:>8} {:>9} {:>9.2} {:>9.2} {:>10.2} {:>8.0}",
        size.build.text_bytes as f64 / MB,
        cold.kind.name(),
        on_off(cold.is_lexical),
        on_off(cold.is_prefetching),
        cold.wall_us.p50 / 1e3,
        cold.wall_us.p99 / 1e3,
        cold.open_us.p50 / 1e3,
        cold.read_bytes / 1e3,
    );
}
