//! Python.

// What its tokens look like.

use super::lexicon::{Content, Delimited, Lexicon, Prefix, Quote, Reach};

const fn quote(mark: &'static str, reach: Reach) -> Quote {
    Quote { mark, reach, has_escapes: true, canonical: '"', content: Content::Plain }
}

const fn format(letters: &'static str, canonical: &'static str, is_raw: bool) -> Prefix {
    Prefix { letters, canonical, is_raw, interpolates: true }
}

/// The tokens of Python 2.7 and 3.
#[rustfmt::skip]
pub static LEXICON: Lexicon = Lexicon {
    keywords: &[
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
        "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
        "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
    ],
    value_keywords: &[],
    marks: &[
        "**=", "//=", ">>=", "<<=", "...", "->", ":=", "==", "!=", "<=", ">=", "<>", "**", "//", "<<", ">>", "+=",
        "-=", "*=", "/=", "%=", "&=", "|=", "^=", "@=",
    ],
    line_comment: "#",
    block_comment: None,
    quotes: &[
        quote("\"\"\"", Reach::Lines), quote("'''", Reach::Lines), quote("\"", Reach::Line), quote("'", Reach::Line),
    ],
    prefixes: &[
        Prefix::raw("r", ""), Prefix::plain("b", "b"), Prefix::plain("u", ""), format("f", "f", false),
        format("t", "t", false), Prefix::raw("rb", "b"), Prefix::raw("br", "b"), Prefix::raw("ur", ""),
        format("rf", "f", true), format("fr", "f", true), format("rt", "t", true), format("tr", "t", true),
    ],
    delimited: Delimited::No,
    name_marks: "",
    digit_separator: b'_',
    zero_means_octal: true,
    letters_follow_dot: true,
    dot_begins_number: true,
    joins_strings: true,
    statements: Some(&[
        "assert", "break", "class", "continue", "def", "del", "except", "finally", "global", "import", "nonlocal",
        "pass", "raise", "return", "try", "while", "with",
    ]),
    has_lifetimes: false,
    has_regexes: false,
};

// What the nodes of its grammar mean.

#[cfg(feature = "python")]
use super::grammar::{Grammar, Place, Scope, Trait, Visibility};

/// The grammar's nodes and what they mean.
#[cfg(feature = "python")]
pub(crate) static GRAMMAR: Grammar = Grammar {
    parser: || tree_sitter_python::LANGUAGE.into(),
    kinds: &[
        ("module", &[Trait::Scope(Scope::Module), Trait::Through]),
        ("comment", &[Trait::Drop]),
        ("line_continuation", &[Trait::Drop]),
        ("pass_statement", &[Trait::Drop]),
        ("parenthesized_expression", &[Trait::Through]),
        ("parenthesized_list_splat", &[Trait::Through]),
        ("expression_statement", &[Trait::Through, Trait::TextStatement]),
        ("typed_parameter", &[Trait::Through, Trait::Pattern]),
        ("typed_default_parameter", &[Trait::As("default_parameter")]),
        ("expression_list", &[Trait::As("tuple"), Trait::Pattern]),
        ("pattern_list", &[Trait::As("tuple"), Trait::Pattern]),
        ("tuple_pattern", &[Trait::As("tuple"), Trait::Pattern]),
        ("list_pattern", &[Trait::As("tuple"), Trait::Pattern]),
        ("list_splat_pattern", &[Trait::As("list_splat"), Trait::Pattern]),
        ("dictionary_splat_pattern", &[Trait::As("dictionary_splat"), Trait::Pattern]),
        ("splat_pattern", &[Trait::Pattern]),
        ("as_pattern_target", &[Trait::Through, Trait::Pattern]),
        ("case_pattern", &[Trait::Through]),
        ("union_pattern", &[Trait::Pattern]),
        ("as_pattern", &[Trait::Pattern]),
        ("dotted_name", &[Trait::Capture]),
        ("pair", &[Trait::Through]),
        ("with_clause", &[Trait::Through]),
        ("aliased_import", &[Trait::Through]),
        ("identifier", &[Trait::Name]),
        ("integer", &[Trait::Number]),
        ("float", &[Trait::Number]),
        ("string", &[Trait::TextWithParts]),
        ("string_start", &[Trait::Drop]),
        ("string_content", &[Trait::TextPart]),
        ("string_end", &[Trait::Drop]),
        ("interpolation", &[Trait::Interpolation]),
        ("concatenated_string", &[Trait::JoinedText, Trait::As("string")]),
        ("function_definition", &[Trait::Definition, Trait::Scope(Scope::Function)]),
        ("lambda", &[Trait::Scope(Scope::Lambda)]),
        ("class_definition", &[Trait::Definition, Trait::Scope(Scope::Class)]),
        ("decorated_definition", &[Trait::Decorated, Trait::Through]),
        ("decorator", &[Trait::DropLoose]),
        ("type_parameter", &[Trait::DropLoose]),
        ("list_comprehension", &[Trait::Scope(Scope::Block)]),
        ("set_comprehension", &[Trait::Scope(Scope::Block)]),
        ("dictionary_comprehension", &[Trait::Scope(Scope::Block)]),
        ("generator_expression", &[Trait::Scope(Scope::Block)]),
        ("block", &[Trait::Block]),
        ("if_statement", &[Trait::Statement, Trait::Condition]),
        ("elif_clause", &[Trait::Through]),
        ("else_clause", &[Trait::Through, Trait::Else("elif")]),
        ("for_statement", &[Trait::Statement]),
        ("while_statement", &[Trait::Statement]),
        ("try_statement", &[Trait::Statement]),
        ("with_statement", &[Trait::Statement]),
        ("match_statement", &[Trait::Statement]),
        ("slice", &[Trait::Punctuated]),
        ("binary_operator", &[Trait::Binary]),
        ("boolean_operator", &[Trait::Binary]),
        ("comparison_operator", &[Trait::Binary]),
        ("call", &[Trait::Call]),
        ("await", &[Trait::Call]),
        ("yield", &[Trait::Call]),
        ("named_expression", &[Trait::Call]),
        ("assignment", &[Trait::Assignment]),
        ("augmented_assignment", &[Trait::Augmented("assignment", "binary_operator")]),
        ("import_statement", &[Trait::Import]),
        ("import_from_statement", &[Trait::Import]),
        ("future_import_statement", &[Trait::Drop]),
    ],
    places: &[
        ("parameters", "", Place::Parameter),
        ("lambda_parameters", "", Place::Parameter),
        ("default_parameter", "name", Place::Parameter),
        ("typed_default_parameter", "name", Place::Parameter),
        ("typed_default_parameter", "type", Place::Annotation),
        ("typed_parameter", "type", Place::Annotation),
        ("function_definition", "name", Place::OwnName),
        ("function_definition", "return_type", Place::Annotation),
        ("class_definition", "name", Place::OwnName),
        ("assignment", "left", Place::Declare),
        ("assignment", "type", Place::Annotation),
        ("augmented_assignment", "left", Place::Declare),
        ("named_expression", "name", Place::DeclareInFunction),
        ("for_statement", "left", Place::Declare),
        ("for_in_clause", "left", Place::Declare),
        ("as_pattern", "alias", Place::Declare),
        ("except_clause", "alias", Place::Declare),
        ("delete_statement", "", Place::Declare),
        ("case_pattern", "", Place::Declare),
        ("keyword_pattern", "", Place::KeyOrPattern),
        ("splat_pattern", "", Place::Declare),
        ("type_alias_statement", "left", Place::OwnName),
        ("global_statement", "", Place::Outer),
        ("nonlocal_statement", "", Place::Outer),
        ("import_statement", "", Place::Key),
        ("import_from_statement", "", Place::Key),
        ("aliased_import", "name", Place::Key),
        ("aliased_import", "alias", Place::Alias),
        ("aliased_import", "", Place::Dropped),
        ("relative_import", "", Place::Key),
        ("attribute", "attribute", Place::Member),
        ("keyword_argument", "name", Place::Key),
    ],
    visibility: Visibility::Hoisted,
    capitals_are_constants: false,
    receivers: &["self", "cls"],
    common_aliases: &[
        ("mpl", "matplotlib"),
        ("np", "numpy"),
        ("nx", "networkx"),
        ("pd", "pandas"),
        ("plt", "pyplot"),
        ("sns", "seaborn"),
        ("tf", "tensorflow"),
        ("xr", "xarray"),
    ],
    format_macros: &[],
    set_attribute: None,
    wrappers: &[("def _():\n    if _:\n        ", "")],
};
