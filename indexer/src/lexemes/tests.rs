use proptest::prelude::*;

use super::*;
use crate::language::Language::{C, Cpp, Go, Java, JavaScript, Python, Rust, Text, Tsx, TypeScript};

/// Lexemes as the first letter of their kind and their canonical spelling.
fn spell(text: &str, language: Language) -> Vec<String> {
    let table = Table::of(language).expect("a programming language");
    let plain = Plain::of(text, detect_gutter(text));
    let mut spellings = Vec::new();
    Walk::new(&plain.text, table, SpellingSink { spellings: &mut spellings }).run();
    let letter = |kind| ["K", "N", "D", "T", "M"][kind as usize];
    spellings.iter().map(|(kind, canonical)| format!("{}:{canonical}", letter(*kind))).collect()
}

fn check(language: Language, rows: &[(&str, &str)]) {
    for (source, expected) in rows {
        assert_eq!(spell(source, language).join(" "), *expected, "{source:?}");
    }
}

#[test]
fn python_is_cut_into_lexemes() {
    check(
        Language::Python,
        &[
            (
                "def f(a, b=1):\n    return a + b  # sum\n",
                "K:def N:f M:( N:a M:, N:b M:= D:1 M:) M:: K:return N:a M:+ N:b",
            ),
            ("x = 'a' \"b\"\n", "N:x M:= T:\"ab\""),
            ("x = ('a'\n  # between\n  'b',\n)", "N:x M:= M:( T:\"ab\" M:)"),
            ("def f():\n    \"\"\"Doc.\"\"\"\n    'more'\n    pass; x = 1", "K:def N:f M:( M:) M:: K:pass N:x M:= D:1"),
            ("x = 'a'\n'b'\n", "N:x M:= T:\"a\""),
            (r"f(r'\s', '\\s', u'it\'s', Rb'x')", r#"N:f M:( T:"\\s" M:, T:"\\s" M:, T:"it's" M:, T:b"x" M:)"#),
            ("f'{a[\"b\"]!r:>{w}} {{' + f\"{d[\"k\"]}\"", "T:f\"{a[\"b\"]!r:>{w}} {{\" M:+ T:f\"{d[\"k\"]}\""),
            (
                "0xFF 1_000 1. 1.00 .5 1e+05 0o17 0777 2j 1if",
                "D:255 D:1000 D:1.0 D:1.0 D:0.5 D:1.0e5 D:15 D:511 D:2j D:1if",
            ),
            ("..0x1 a..5 x.5", "M:. D:0.0x1 N:a M:. D:0.5 N:x M:. D:5"),
            ("a **= b // c -> d ... := != @", "N:a M:**= N:b M:// N:c M:-> N:d M:... M::= M:!= M:@"),
            ("x = \\\r\n  1\r\n", "N:x M:= D:1"),
            ("x = \"\"\"cut\ny = 1", "N:x M:= M:\"\"\" N:cut N:y M:= D:1"),
            ("x = 'cut\ny = 1", "N:x M:= T:\"cut\" N:y M:= D:1"),
            ("f(a,\ndef g():\n  'doc'\n  pass", "N:f M:( N:a M:, K:def N:g M:( M:) M:: K:pass"),
            ("ｐａｓｓ ｘ１ １２ p\u{200b}ass \u{200b}\u{feff} \u{430}bc", "K:pass N:x1 D:12 K:pass N:abc"),
        ],
    );
}

#[test]
fn rust_is_cut_into_lexemes() {
    check(
        Language::Rust,
        &[
            (
                "fn f<'a>(x: &'a str) -> u8 { x[0]; }",
                "K:fn N:f M:< N:'a M:> M:( N:x M:: M:& N:'a N:str M:) M:-> N:u8 M:{ N:x M:[ D:0 M:] M:}",
            ),
            ("'x' '\\n' b'\\'' 'static '\u{e9}' 'a'b", "T:'x' T:'\\n' T:b''' K:'static T:'\u{e9}' T:'a' N:b"),
            (r###"r"\d" "\\d" r#"a"b"# br##"x"##"###, r#"T:"\\d" T:"\\d" T:"a"b" T:b"x""#),
            (
                "r#match 0usize 1_0u8 0xFFu8 1.max(2) 0..=9 t.0.1 1e3",
                "N:match D:0usize D:10u8 D:255u8 D:1 M:. N:max M:( D:2 M:) D:0 M:..= D:9 N:t M:. D:0 M:. D:1 D:1.0e3",
            ),
            ("/* a /* b */ c */ x /// doc\n//! doc\ny", "N:x N:y"),
            ("/* open fn", "N:open K:fn"),
            ("f().0\n  .1 .x", "N:f M:( M:) M:. D:0 M:. D:1 M:. N:x"),
            ("r#\"open x", "N:r M:# T:\"open x\""),
            (
                "#[derive(Debug,)] a::b(|x| x?,)",
                "M:# M:[ N:derive M:( N:Debug M:) M:] N:a M::: N:b M:( M:| N:x M:| N:x M:? M:)",
            ),
            ("\"a\\\n   b\" \"two\nlines\"", "T:\"ab\" T:\"two\\nlines\""),
        ],
    );
}

#[test]
fn other_languages_are_cut_into_lexemes() {
    let javascript: &[(&str, &str)] = &[
        ("const x = 'a' + `b`;", "K:const N:x M:= T:\"a\" M:+ T:\"b\""),
        ("`a ${f(`b ${c}`)} d`", "T:\"a ${f(`b ${c}`)} d\""),
        ("x = /a[/]\\/b/gi.test(y) / 2 / z", "N:x M:= T:/a[/]\\/b/gi M:. N:test M:( N:y M:) M:/ D:2 M:/ N:z"),
        ("a?.b ?? c >>>= 1n", "N:a M:?. N:b M:?? N:c M:>>>= D:1n"),
        ("`open ${x", "M:` N:open N:$ M:{ N:x"),
        ("f(a, b,) // c\n/* d */ $e", "N:f M:( N:a M:, N:b M:) N:$e"),
        ("</b><i>x</i>", "M:< M:/ N:b M:> M:< N:i M:> N:x M:< M:/ N:i M:>"),
    ];
    for language in [JavaScript, TypeScript, Tsx] {
        check(language, javascript);
    }
    check(
        Java,
        &[
            ("char c = 'a'; // x", "K:char N:c M:= T:'a'"),
            ("s = \"\"\"\n    a\n    b\"\"\";", "N:s M:= T:\"a\\nb\""),
            ("@Override x::y 1.0f 0xFFL 1_0", "M:@ N:Override N:x M::: N:y D:1.0f D:255l D:10"),
        ],
    );
    check(
        Go,
        &[
            ("x := `a\\b` + \"a\\\\b\"", "N:x M::= T:\"a\\\\b\" M:+ T:\"a\\\\b\""),
            ("ch <- 'x' &^ nil", "N:ch M:<- T:'x' M:&^ K:nil"),
            ("`open", "M:` N:open"),
        ],
    );
    for language in [C, Cpp] {
        check(
            language,
            &[
                ("#include <a.h>\nint x = 1'000;", "M:# N:include M:< N:a M:. N:h M:> K:int N:x M:= D:1000"),
                ("s = \"a\" /* b */\n  L\"c\" u8R\"x(d\")x\";", "N:s M:= T:l\"acd\"\""),
                (
                    "a->b::c <<= 'd' \\\n + 0x1.8p3 1.e5 .5f",
                    "N:a M:-> N:b M::: N:c M:<<= T:'d' M:+ D:0x1.8p3 D:1.0e5 D:0.5f",
                ),
                ("R\"(open x", "N:R T:\"(open x\""),
            ],
        );
    }
}

/// Hashes of a text's lexemes.
fn hashes(text: &str, language: Language) -> Vec<u64> {
    let mut lexemes = Lexemes::default();
    Lexer::new(7).lexemes(text, language, &mut lexemes);
    lexemes.hashes
}

#[test]
fn layout_and_disguise_change_nothing() {
    let plain = "def total(items, start=10):\n    # Sum.\n    return sum(items, start) + 'x'\n";
    for twin in [
        plain.replace('\n', "\r\n"),
        plain.replace("    ", "\t"),
        plain.replace("    ", "  \u{c}"),
        plain.replace("    # Sum.\n", ""),
        plain.replace("total", "t\u{43e}t\u{430}l"),
        plain.replace("total", "to\u{200b}tal").replace("= ", "=\u{feff} "),
        plain.replace("total", "ｔｏｔａｌ").replace("10", "１０").replace("def", "ｄｅｆ"),
        plain.replace("items", "i\u{2060}tems\u{200d}"),
        plain.replace(' ', "\u{a0}"),
        plain.replace("'x'", "\"\"\"x\"\"\""),
        plain.replace("(items, start)", "(\n        items,\n        start,\n    )"),
        plain.replace("+ 'x'", "\\\n        + 'x'"),
        plain.replace(' ', " \0"),
    ] {
        assert_eq!(hashes(&twin, Python), hashes(plain, Python), "{twin:?}");
    }
    for other in
        [plain.replace("total", "Total"), plain.replace("10", "11"), plain.replace('+', "-"), plain.replace("'x'", "x")]
    {
        assert_ne!(hashes(&other, Python), hashes(plain, Python), "{other:?}");
    }
}

#[test]
fn reformatted_code_is_the_same() {
    let narrow = "x = call(\n    first,\n    'second ' 'part',\n    **{\n        'key': [1, 2,],\n    },\n)\n\n\nif (\n    a\n    and b\n):\n    pass\n";
    let wide = "x = call(first, \"second part\", **{\"key\": [1, 2]})\nif (a and b): pass\n";
    assert_eq!(hashes(narrow, Python), hashes(wide, Python));
    let narrow = "let a = foo(\n  x,\n  |y| {\n    y\n  },\n);\n";
    assert_eq!(hashes(narrow, Rust), hashes("let a = foo(x, |y| { y });", Rust));
}

#[test]
fn equal_content_is_the_same_lexeme() {
    let rows = [
        (LexemeKind::Text, "'a'", "\"a\"", Python, true),
        (LexemeKind::Text, "'a' 'b'", "(\"ab\"", Python, false),
        (LexemeKind::Text, "'a'\n # c\n 'b'", "\"ab\"", Python, true),
        (LexemeKind::Text, "r#\"x\"#", "\"x\"", Rust, true),
        (LexemeKind::Text, "'a'", "\"a\"", Rust, false),
        (LexemeKind::Number, "0xff", "255", Rust, true),
        (LexemeKind::Number, "255u8", "255", Rust, false),
        (LexemeKind::Name, "r#x", "x", Rust, true),
        (LexemeKind::Name, "\u{445}", "x", Rust, true),
        (LexemeKind::Name, "X", "x", Rust, false),
        (LexemeKind::Name, "'a", "'a", Rust, true),
        (LexemeKind::Mark, "+", "-", Rust, false),
    ];
    for (kind, a, b, language, expected) in rows {
        assert_eq!(is_same_lexeme(kind, a, b, language), expected, "{a} {b}");
    }
}

#[test]
fn every_lexeme_leads_back_to_its_content() {
    let source = "def f(x):\n    return ('a'\n        \"b\") + x[0x10:1_0] * f'{y}' ｚ\u{200b}ｚ\n";
    let (lexer, mut lexemes) = (Lexer::new(3), Lexemes::default());
    lexer.lexemes(source, Python, &mut lexemes);
    for idx in 0..lexemes.len() {
        let spelling = &source[lexemes.starts[idx] as usize..lexemes.ends[idx] as usize];
        let canonical = canonical(lexemes.kinds[idx], spelling, Python);
        assert_eq!(lexer.hash_of(lexemes.kinds[idx], &canonical), lexemes.hashes[idx], "{spelling}");
    }
    let all = lexemes.span(0, lexemes.len());
    assert_eq!((all.start as usize, all.end as usize), (0, source.len() - 1));
}

#[test]
fn gutters_are_told_and_taken_off() {
    let code = "def f(x):\n    y = x + 1\n    return y\n\nf(2)\nz = f(3)\n";
    let numbered = |mark: &str| {
        code.lines().enumerate().map(|(n, line)| format!("{:>3}{mark}{line}\n", n + 8)).collect::<Vec<_>>().concat()
    };
    let before = |mark: &str| code.lines().map(|line| format!("{mark}{line}\n")).collect::<Vec<_>>().concat();
    let prompts = ">>> def f(x):\n...     y = x + 1\n...     return y\n...\n>>> f(2)\n3\n>>> z = f(3)\n".to_owned();
    let ipython = "In [1]: def f(x):\n   ...:     y = x + 1\n   ...:     return y\n   ...: \nIn [2]: f(2)\nOut[2]: 3\nIn [3]: z = f(3)\n".to_owned();
    let hunk = format!("--- a/f.py\n+++ b/f.py\n@@ -1,2 +1,3 @@ def f\n{}", before("+"));
    for (text, gutter) in [
        (prompts, Gutter::PythonPrompt),
        (ipython, Gutter::IpythonPrompt),
        (before("+"), Gutter::Diff),
        (hunk, Gutter::Diff),
        (numbered(": "), Gutter::LineNumbers),
        (numbered("| "), Gutter::LineNumbers),
        (numbered(" | "), Gutter::LineNumbers),
        (numbered("\t"), Gutter::LineNumbers),
        (numbered("  "), Gutter::LineNumbers),
    ] {
        assert_eq!(detect_gutter(&text), gutter, "{text}");
        assert_eq!(hashes(&text, Python), hashes(code, Python), "{text}");
    }
}

#[test]
fn plain_code_has_no_gutter() {
    for code in [
        "",
        "def f(x):\n    return x\n",
        "    indented = 1\n    code = 2\n",
        "x = (\n+ a\n+ b\n- c\n)\n",
        "1, 2, 3,\n4, 5, 6,\n",
        "1 0 0\n2 1 0\n3 1 1\n",
        "    1: 'a',\n    2: 'b',\n    3: 'c',\n",
        "0 => a,\n1 => b,\n2 => c,\n",
        "10 + x\n20 + y\n",
        "a >> b\n>>> c\n",
        "  - a\n  - b\n  + c\n",
    ] {
        assert_eq!(detect_gutter(code), Gutter::None, "{code}");
    }
}

#[test]
fn prose_has_no_lexemes() {
    assert_eq!(hashes("x = 1", Text), Vec::<u64>::new());
}

/// Bytes that the lexer looked at.
fn n_steps(text: &str, language: Language) -> usize {
    let table = Table::of(language).expect("a programming language");
    let mut spellings = Vec::new();
    let mut walk = Walk::new(text, table, SpellingSink { spellings: &mut spellings });
    walk.run();
    walk.scanner.n_steps
}

#[test]
#[rustfmt::skip]
fn hostile_texts_are_read_in_linear_time() {
    /// Passes over a text at most: one for each search that may fail, rounded up.
    const PASSES_MAX: usize = 32;
    let hashes = (1..200).map(|n| format!("r{}\"", "#".repeat(n % 40))).collect::<Vec<_>>().concat();
    let words = (0..2000).map(|n| format!("R\"a{n}(")).collect::<Vec<_>>().concat();
    let openers = [
        "/*", "/*/", "\"\"\"", "'''", "r#\"", "r\"", "`", "`${", "`${`", "f\"{\"", "f'{\"", "/[", "=/[", "R\"(", "'", "\"",
        "'\\", "\\", "b'", "(", "/*/*", "{`", "0x", "1.", "..", "\u{301}", "a\u{301}", "\u{200b}", "'a", "#", "$", "\\\n",
        "r#", "u8R\"x(",
    ];
    for language in Language::ALL.into_iter().filter(|language| language.is_code()) {
        for text in openers.iter().map(|opener| opener.repeat(4000)).chain([hashes.clone(), words.clone()]) {
            let n = n_steps(&text, language);
            assert!(n <= PASSES_MAX * text.len(), "{language}: {n} steps for {} bytes of {:?}", text.len(), text.get(..12));
        }
    }
}

fn assert_lexemes_are_in_order(text: &str) {
    let mut lexemes = Lexemes::default();
    for language in Language::ALL {
        Lexer::new(1).lexemes(text, language, &mut lexemes);
        let (mut start_before, mut end_before) = (0, 0);
        for (&start, &end) in lexemes.starts.iter().zip(&lexemes.ends) {
            assert!(start < end && start >= start_before && end >= end_before, "{language} {text:?}");
            assert!(text.get(start as usize..end as usize).is_some(), "{language} {text:?}");
            (start_before, end_before) = (start, end);
        }
        let n = lexemes.len();
        assert!(n == lexemes.kinds.len() && n == lexemes.starts.len() && n == lexemes.ends.len());
    }
}

/// What opens, closes or disguises something.
#[rustfmt::skip]
const PARTS: [&str; 50] = [
    "'", "\"", "\"\"\"", "'''", "`", "${", "}", "{", "(", ")", ",", ";", "\\", "\n", "\r\n", "r#", "#", "r", "b", "f", "R",
    "/*", "*/", "//", "/", "[", "]", "a", "0x", "1", ".", "e", "+", "\u{301}", "\u{200b}", "½", "ﷺ", "é", "字", "“", ">>> ",
    "... ", "@@ -1 +1 @@\n", "- ", " ", "\t", "def ", "In [1]: ", "\u{ff02}", "\0",
];

proptest! {
    #[test]
    fn any_text_has_lexemes_in_order(text in any::<String>()) {
        assert_lexemes_are_in_order(&text);
    }

    #[test]
    fn any_mix_of_openers_has_lexemes_in_order(
        parts in prop::collection::vec(prop::sample::select(PARTS.to_vec()), 0..40),
    ) {
        assert_lexemes_are_in_order(&parts.concat());
    }
}
