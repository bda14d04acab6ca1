//! Go.

// What its tokens look like.

use super::lexicon::{BlockComment, Content, Delimited, Lexicon, Quote, Reach};

/// The tokens of Go.
#[rustfmt::skip]
pub static LEXICON: Lexicon = Lexicon {
    keywords: &[
        "break", "case", "chan", "const", "continue", "default", "defer", "else", "fallthrough", "false", "for", "func",
        "go", "goto", "if", "import", "interface", "iota", "map", "nil", "package", "range", "return", "select",
        "struct", "switch", "true", "type", "var",
    ],
    value_keywords: &[],
    marks: &[
        "&^=", "...", "<<=", ">>=", ":=", "<-", "==", "!=", "<=", ">=", "&&", "||", "++", "--", "+=", "-=", "*=", "/=",
        "%=", "&=", "|=", "^=", "<<", ">>", "&^",
    ],
    line_comment: "//",
    block_comment: Some(BlockComment { open: "/*", close: "*/", nests: false }),
    quotes: &[
        Quote { mark: "\"", reach: Reach::Line, has_escapes: true, canonical: '"', content: Content::Plain },
        Quote { mark: "'", reach: Reach::Line, has_escapes: true, canonical: '\'', content: Content::Plain },
        Quote { mark: "`", reach: Reach::Lines, has_escapes: false, canonical: '"', content: Content::Plain },
    ],
    prefixes: &[],
    delimited: Delimited::No,
    name_marks: "",
    digit_separator: b'_',
    zero_means_octal: true,
    letters_follow_dot: true,
    dot_begins_number: true,
    joins_strings: false,
    statements: None,
    has_lifetimes: false,
    has_regexes: false,
};

// What the nodes of its grammar mean.

#[cfg(feature = "go")]
use super::grammar::{Grammar, Place, Scope, Trait, Visibility};

/// The grammar's nodes and what they mean.
#[cfg(feature = "go")]
pub(crate) static GRAMMAR: Grammar = Grammar {
    parser: || tree_sitter_go::LANGUAGE.into(),
    kinds: &[
        ("source_file", &[Trait::Scope(Scope::Module), Trait::Through]),
        ("comment", &[Trait::Drop]),
        ("empty_statement", &[Trait::Drop]),
        ("parenthesized_expression", &[Trait::Through]),
        ("parenthesized_type", &[Trait::Through]),
        ("expression_statement", &[Trait::Through]),
        ("statement_list", &[Trait::Through]),
        ("literal_element", &[Trait::Through]),
        ("expression_list", &[Trait::Pattern]),
        ("identifier", &[Trait::Name]),
        ("type_identifier", &[Trait::Name]),
        ("package_identifier", &[Trait::Name]),
        ("label_name", &[Trait::Name]),
        ("field_identifier", &[Trait::Member]),
        ("int_literal", &[Trait::Number]),
        ("float_literal", &[Trait::Number]),
        ("imaginary_literal", &[Trait::Number]),
        ("interpreted_string_literal", &[Trait::Text]),
        ("raw_string_literal", &[Trait::Text]),
        ("rune_literal", &[Trait::Character]),
        ("function_declaration", &[Trait::Definition, Trait::Scope(Scope::Function)]),
        ("method_declaration", &[Trait::Definition, Trait::Scope(Scope::Lambda)]),
        ("func_literal", &[Trait::Definition, Trait::Scope(Scope::Lambda)]),
        ("type_spec", &[Trait::Definition, Trait::Scope(Scope::Item)]),
        ("block", &[Trait::Block, Trait::Scope(Scope::Block)]),
        ("if_statement", &[Trait::Statement, Trait::Scope(Scope::Block)]),
        ("for_statement", &[Trait::Statement, Trait::Scope(Scope::Block)]),
        ("for_clause", &[Trait::Punctuated]),
        ("slice_expression", &[Trait::Punctuated]),
        ("expression_switch_statement", &[Trait::Statement, Trait::Scope(Scope::Block)]),
        ("type_switch_statement", &[Trait::Statement, Trait::Scope(Scope::Block)]),
        ("select_statement", &[Trait::Statement]),
        ("expression_case", &[Trait::Scope(Scope::Block)]),
        ("type_case", &[Trait::Scope(Scope::Block)]),
        ("default_case", &[Trait::Scope(Scope::Block)]),
        ("communication_case", &[Trait::Scope(Scope::Block)]),
        ("binary_expression", &[Trait::Binary]),
        ("call_expression", &[Trait::Call]),
        ("assignment_statement", &[Trait::Augmented("assignment_statement", "binary_expression")]),
        ("import_declaration", &[Trait::Import]),
    ],
    places: &[
        ("parameter_declaration", "name", Place::Parameter),
        ("variadic_parameter_declaration", "name", Place::Parameter),
        ("type_parameter_declaration", "name", Place::Generic),
        ("short_var_declaration", "left", Place::Declare),
        ("var_spec", "name", Place::Declare),
        ("var_spec", "type", Place::Annotation),
        ("const_spec", "name", Place::Declare),
        ("range_clause", "left", Place::Declare),
        ("receive_statement", "left", Place::Declare),
        ("type_switch_statement", "alias", Place::DeclareNow),
        ("function_declaration", "name", Place::OwnName),
        ("method_declaration", "name", Place::OwnMember),
        ("type_spec", "name", Place::OwnName),
        ("field_declaration", "name", Place::OwnMember),
        ("keyed_element", "key", Place::Use),
        ("labeled_statement", "label", Place::Label),
        ("break_statement", "", Place::Label),
        ("continue_statement", "", Place::Label),
        ("goto_statement", "", Place::Label),
        ("import_spec", "name", Place::Key),
        ("package_clause", "", Place::Key),
    ],
    visibility: Visibility::Sequential,
    capitals_are_constants: false,
    receivers: &[],
    common_aliases: &[],
    format_macros: &[],
    set_attribute: None,
    wrappers: &[("func _() {", "}")],
};
