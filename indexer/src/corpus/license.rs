//! Tells a file's licence by its SPDX header or by the nearest licence file.

use std::io::Read;
use std::path::Path;

use super::cells::is_unknown_license;

/// Where a header must stand: the first 2 KiB hold the longest banners of real projects.
const HEADER_BYTES_MAX: usize = 2 << 10;

/// How much of a licence file is read. The longest of the known texts, GPL-3.0, has 35 KB.
const LICENSE_FILE_BYTES_MAX: u64 = 64 << 10;

/// Most licence files of one folder that are read.
const LICENSE_FILES_MAX: usize = 16;

const HEADER: &str = "SPDX-License-Identifier:";

/// A licence and what its text surely contains: lower case, white space folded, without ornaments. All phrases of a row
/// must occur.
type Mark = (&'static str, &'static [&'static str]);

/// Rows that contain the phrases of a later one come first.
const MARKS: [Mark; 31] = [
    ("AGPL-3.0", &["gnu affero general public license version 3, 19 november 2007"]),
    ("LGPL-3.0", &["gnu lesser general public license version 3, 29 june 2007"]),
    ("LGPL-2.1", &["gnu lesser general public license version 2.1, february 1999"]),
    ("LGPL-2.0", &["gnu library general public license version 2, june 1991"]),
    ("GPL-3.0", &["gnu general public license version 3, 29 june 2007"]),
    ("GPL-2.0", &["gnu general public license version 2, june 1991"]),
    ("AGPL-3.0", &["gnu affero general public license as published", "version 3"]),
    ("LGPL-3.0", &["gnu lesser general public license as published", "version 3"]),
    ("LGPL-2.1", &["gnu lesser general public license as published", "version 2.1"]),
    ("GPL-3.0", &["gnu general public license as published", "version 3"]),
    ("GPL-2.0", &["gnu general public license as published", "version 2"]),
    ("MPL-2.0", &["mozilla public license version 2.0"]),
    ("MPL-2.0", &["mozilla public license, v. 2.0"]),
    ("Apache-2.0", &["apache license version 2.0"]),
    ("Apache-2.0", &["apache license, version 2.0"]),
    ("CC-BY-SA-4.0", &["attribution-sharealike 4.0 international"]),
    ("CC-BY-4.0", &["attribution 4.0 international"]),
    ("CC-BY-SA-4.0", &["creativecommons.org/licenses/by-sa/4.0"]),
    ("CC-BY-4.0", &["creativecommons.org/licenses/by/4.0"]),
    ("CC0-1.0", &["cc0 1.0 universal"]),
    ("Unicode-3.0", &["unicode license v3"]),
    ("BSL-1.0", &["boost software license - version 1.0"]),
    ("Unlicense", &["this is free and unencumbered software released into the public domain"]),
    ("BSD-4-Clause", &[BSD, "all advertising materials mentioning"]),
    ("BSD-3-Clause", &[BSD, "to endorse or promote products derived"]),
    ("BSD-2-Clause", &[BSD]),
    ("ISC", &[ISC_AND_OR, ISC_NOTICE]),
    ("ISC", &[ISC_AND, ISC_NOTICE]),
    ("0BSD", &[ISC_AND_OR]),
    (
        "MIT",
        &[
            "permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated",
        ],
    ),
    (
        "Zlib",
        &["this software is provided as-is, without any express or implied warranty. in no event will the authors"],
    ),
];

const BSD: &str = "redistribution and use in source and binary forms, with or without modification, are permitted";
const ISC_AND_OR: &str =
    "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee";
const ISC_AND: &str =
    "permission to use, copy, modify, and distribute this software for any purpose with or without fee";
const ISC_NOTICE: &str = "provided that the above copyright notice and this permission notice appear in all copies";

/// Licences that ask for no more than a notice. Where a folder holds several of them, the custom is that any may be
/// chosen.
const PERMISSIVE: [&str; 11] = [
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    "CC0-1.0",
    "CC-BY-4.0",
    "BSL-1.0",
];

/// Returns the SPDX expression in a file's header, if it has a well-formed one that says something.
pub(super) fn of_header(text: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&text[..text.len().min(HEADER_BYTES_MAX)]);
    let (_, rest) = head.split_once(HEADER)?;
    let line = rest.lines().next().unwrap_or_default();
    let is_part = |c: char| c.is_ascii_alphanumeric() || " .+-():".contains(c);
    let expression = line.trim_start().split(|c| !is_part(c)).next().unwrap_or_default();
    // A comment may be closed on the same line, as in `<!-- ... -->`.
    let expression = expression.trim_end_matches([' ', '-', ':', '.']);
    (!is_unknown_license(expression)).then(|| expression.to_owned())
}

/// Returns the licence that the licence files of a folder state: `None` where it has no such file, and an empty text
/// where they are not recognised.
///
/// Several permissive licences are taken as a choice (`MIT OR Apache-2.0`), as is the custom. Any others are in force
/// beside it (`(MIT OR Apache-2.0) AND Unicode-3.0`): who relies on a choice that nobody offered is at risk, who obeys
/// both is not.
pub(super) fn of_folder(folder: &Path) -> Option<String> {
    let mut names: Vec<String> = fs_err::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| is_license_file(name))
        .collect();
    names.sort_unstable();
    names.truncate(LICENSE_FILES_MAX);
    let texts: Vec<String> = names.iter().filter_map(|name| read_head(&folder.join(name))).collect();
    if texts.is_empty() {
        return None;
    }
    let mut found: Vec<&str> = Vec::new();
    for license in texts.iter().flat_map(|text| recognise(text)) {
        if !found.contains(&license) {
            found.push(license);
        }
    }
    // The LGPL amends the GPL and so lies beside it.
    if found.iter().any(|license| license.starts_with("LGPL")) {
        found.retain(|license| !license.starts_with("GPL"));
    }
    let order = |license: &&str| MARKS.iter().rposition(|(known, _)| known == license);
    found.sort_by_key(|license| std::cmp::Reverse(order(license)));
    let (choice, mut all): (Vec<&str>, Vec<&str>) = found.into_iter().partition(|license| PERMISSIVE.contains(license));
    let choice_text = choice.join(" OR ");
    let in_brackets = format!("({choice_text})");
    match (choice.len(), all.is_empty()) {
        (0, _) => {}
        (1, _) | (_, true) => all.insert(0, &choice_text),
        (_, false) => all.insert(0, &in_brackets),
    }
    Some(all.join(" AND "))
}

/// Tells the licences of a licence file. A file may hold the texts of both MIT and Apache; of other combinations the
/// first counts, as what follows are notices of bundled parts.
fn recognise(text: &str) -> Vec<&'static str> {
    let text = fold(text);
    let position = |(_, phrases): &&Mark| {
        let first = text.find(phrases[0])?;
        phrases[1..].iter().all(|phrase| text.contains(phrase)).then_some(first)
    };
    // The first of equally early rows: `min_by_key` keeps it.
    let mut found: Vec<(usize, &str)> = MARKS.iter().filter_map(|mark| Some((position(&mark)?, mark.0))).collect();
    found.sort_by_key(|&(position, _)| position);
    let licenses: Vec<&str> = found.into_iter().map(|(_, license)| license).collect();
    match licenses.as_slice() {
        [first, rest @ ..] if rest.iter().all(|license| is_dual(first, license)) => {
            let mut both = licenses.clone();
            both.dedup();
            both
        }
        [first, ..] => vec![first],
        [] => Vec::new(),
    }
}

fn is_dual(first: &str, other: &str) -> bool {
    ["MIT", "Apache-2.0"].contains(&first) && ["MIT", "Apache-2.0"].contains(&other)
}

fn is_license_file(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // Source files such as `license.rs` are about licences, not licences.
    let is_text = name.rsplit_once('.').is_none_or(|(_, ending)| {
        ["txt", "md", "rst", "markdown", "lesser", "mit", "apache", "bsd", "lib", "gpl", "lgpl"].contains(&ending)
            || ending.chars().all(|c| c.is_ascii_digit())
    });
    let is_own = !name.contains("third");
    is_text && is_own && ["license", "licence", "copying", "unlicense"].iter().any(|start| name.starts_with(start))
}

fn read_head(path: &Path) -> Option<String> {
    if !fs_err::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut head = Vec::new();
    fs_err::File::open(path).ok()?.take(LICENSE_FILE_BYTES_MAX).read_to_end(&mut head).ok()?;
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// Folds a text so that line breaks, case and ornaments do not matter.
fn fold(text: &str) -> String {
    let plain = text.to_lowercase().replace(['*', '#', '"', '\'', '`', '=', '_', '>', '\u{201c}', '\u{201d}'], "");
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIT: &str = "MIT License\n\nCopyright (c) 2020 A. Author\n\nPermission is hereby granted, free of charge, to any\n\
        person obtaining a copy of this software and associated documentation files";
    const APACHE: &str =
        "                              Apache License\n                        Version 2.0, January 2004\n";
    const BSD3: &str = "Redistribution and use in source and binary forms, with or without\nmodification, are permitted provided that \
        ...\n * Neither the name of X nor the names of its contributors may be used to\n endorse or promote products\nderived";

    #[test]
    fn headers_are_read() {
        for (text, expected) in [
            ("// SPDX-License-Identifier: MIT\nfn main", Some("MIT")),
            (
                "/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */",
                Some("(GPL-2.0-only WITH Linux-syscall-note) OR MIT"),
            ),
            ("<!-- SPDX-License-Identifier: CC-BY-4.0 -->", Some("CC-BY-4.0")),
            ("# SPDX-License-Identifier:LicenseRef-Own\r\n", Some("LicenseRef-Own")),
            ("# SPDX-License-Identifier: NOASSERTION", None),
            ("# SPDX-License-Identifier:", None),
            ("# spdx", None),
        ] {
            assert_eq!(of_header(text.as_bytes()).as_deref(), expected, "{text}");
        }
        let late = format!("{}SPDX-License-Identifier: MIT", " ".repeat(HEADER_BYTES_MAX));
        assert_eq!(of_header(late.as_bytes()), None);
    }

    #[test]
    fn texts_are_recognised() {
        let gpl3 = "GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007\n ... the GNU Affero General Public License, version 3";
        for (text, expected) in [
            (MIT, &["MIT"][..]),
            (APACHE, &["Apache-2.0"]),
            (BSD3, &["BSD-3-Clause"]),
            (&BSD3[..120], &["BSD-2-Clause"]),
            (gpl3, &["GPL-3.0"]),
            ("GNU GENERAL PUBLIC LICENSE\nVersion 2, June 1991\nMozilla Public License Version 2.0", &["GPL-2.0"]),
            ("GNU LESSER GENERAL PUBLIC LICENSE\nVersion 2.1, February 1999", &["LGPL-2.1"]),
            (
                "under the terms of the GNU General Public License as published by\nthe FSF, either version 3",
                &["GPL-3.0"],
            ),
            ("GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3, 19 November 2007", &["AGPL-3.0"]),
            ("Mozilla Public License Version 2.0\n====", &["MPL-2.0"]),
            (
                "ISC\nPermission to use, copy, modify, and/or distribute this software for any\npurpose with or without fee is hereby \
              granted, provided that the above\ncopyright notice and this permission notice appear in all copies.",
                &["ISC"],
            ),
            ("This is free and unencumbered software released into the public domain.", &["Unlicense"]),
            ("Creative Commons Legal Code\n\nCC0 1.0 Universal", &["CC0-1.0"]),
            ("Attribution 4.0 International", &["CC-BY-4.0"]),
            ("Attribution-ShareAlike 4.0 International", &["CC-BY-SA-4.0"]),
            ("Attribution-NonCommercial 4.0 International", &[]),
            ("All rights reserved.", &[]),
        ] {
            assert_eq!(recognise(text), expected, "{text}");
        }
        let mut both = recognise(&format!("{APACHE}\n---\n{MIT}"));
        both.sort_unstable();
        assert_eq!(both, ["Apache-2.0", "MIT"]);
    }

    #[test]
    fn licence_files_of_a_folder_are_combined() {
        let gpl = "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007";
        let lgpl = "GNU LESSER GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007";
        for (files, expected) in [
            (&[("LICENSE-MIT", MIT), ("LICENSE-APACHE", APACHE)][..], Some("MIT OR Apache-2.0")),
            (&[("LICENSE", MIT), ("license.rs", gpl)], Some("MIT")),
            (&[("COPYING", gpl), ("COPYING.LESSER", lgpl)], Some("LGPL-3.0")),
            (&[("LICENSE.txt", gpl), ("LICENSE-MIT.txt", MIT)], Some("MIT AND GPL-3.0")),
            (&[("LICENSE-MIT", MIT), ("LICENSE-THIRD-PARTY", gpl)], Some("MIT")),
            (
                &[("LICENSE-MIT", MIT), ("LICENSE-APACHE", APACHE), ("LICENSE-UNICODE", "UNICODE LICENSE V3")],
                Some("(MIT OR Apache-2.0) AND Unicode-3.0"),
            ),
            (&[("Licence.md", "All rights reserved.")], Some("")),
            (&[("README.md", MIT)], None),
        ] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            for (name, text) in files {
                fs_err::write(folder.path().join(name), text).expect("a file");
            }
            assert_eq!(of_folder(folder.path()).as_deref(), expected, "{files:?}");
        }
    }
}
