//! C and C++.

// What its tokens look like.

use super::lexicon::{BlockComment, Content, Delimited, Lexicon, Prefix, Quote, Reach};

/// The tokens of C and of C++. Directives of the preprocessor are tokens like all others.
#[rustfmt::skip]
pub static LEXICON: Lexicon = Lexicon {
    keywords: &[
        "NULL", "_Bool", "alignas", "alignof", "auto", "bool", "break", "case", "catch", "char", "class", "co_await",
        "co_return", "co_yield", "const", "const_cast", "constexpr", "continue", "decltype", "default", "delete", "do",
        "double", "dynamic_cast", "else", "enum", "explicit", "extern", "false", "float", "for", "friend", "goto", "if",
        "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "nullptr", "operator", "private",
        "protected", "public", "register", "reinterpret_cast", "restrict", "return", "short", "signed", "sizeof",
        "static", "static_assert", "static_cast", "struct", "switch", "template", "this", "throw", "true", "try",
        "typedef", "typeid", "typename", "union", "unsigned", "using", "virtual", "void", "volatile", "while",
    ],
    value_keywords: &[],
    marks: &[
        "<=>", "->*", "...", "<<=", ">>=", "->", "::", "==", "!=", "<=", ">=", "&&", "||", "++", "--", "+=", "-=", "*=",
        "/=", "%=", "&=", "|=", "^=", "<<", ">>", "##",
    ],
    line_comment: "//",
    block_comment: Some(BlockComment { open: "/*", close: "*/", nests: false }),
    quotes: &[
        Quote { mark: "\"", reach: Reach::Line, has_escapes: true, canonical: '"', content: Content::Plain },
        Quote { mark: "'", reach: Reach::Line, has_escapes: true, canonical: '\'', content: Content::Plain },
    ],
    prefixes: &[
        Prefix::plain("l", "l"), Prefix::plain("u", "u"), Prefix::plain("u8", "u8"), Prefix::raw("r", ""),
        Prefix::raw("lr", "l"), Prefix::raw("ur", "u"), Prefix::raw("u8r", "u8"),
    ],
    delimited: Delimited::Words,
    name_marks: "$",
    digit_separator: b'\'',
    zero_means_octal: true,
    letters_follow_dot: true,
    dot_begins_number: true,
    joins_strings: true,
    statements: None,
    has_lifetimes: false,
    has_regexes: false,
};

// What the nodes of its grammar mean.

#[cfg(any(feature = "c", feature = "cpp"))]
use super::grammar::{Grammar, Place, Scope, Trait, Visibility};

/// The nodes of C and C++ and what they mean; the grammar of C ignores those that it does not have.
#[cfg(any(feature = "c", feature = "cpp"))]
const fn grammar(parser: fn() -> tree_sitter::Language) -> Grammar {
    Grammar {
        parser,
        kinds: KINDS,
        places: PLACES,
        visibility: Visibility::Sequential,
        capitals_are_constants: false,
        receivers: &[],
        common_aliases: &[],
        format_macros: &[],
        set_attribute: None,
        wrappers: &[("void _() {", "}")],
    }
}

/// C.
#[cfg(feature = "c")]
pub(crate) static C: Grammar = grammar(|| tree_sitter_c::LANGUAGE.into());

/// C++.
#[cfg(feature = "cpp")]
pub(crate) static CPP: Grammar = grammar(|| tree_sitter_cpp::LANGUAGE.into());

#[cfg(any(feature = "c", feature = "cpp"))]
const KINDS: &[(&str, &[Trait])] = &[
    ("translation_unit", &[Trait::Scope(Scope::Module), Trait::Through]),
    ("comment", &[Trait::Drop]),
    ("access_specifier", &[Trait::Drop]),
    ("parenthesized_expression", &[Trait::Through]),
    ("condition_clause", &[Trait::Through]),
    ("expression_statement", &[Trait::Through]),
    ("identifier", &[Trait::Name]),
    ("type_identifier", &[Trait::Name]),
    ("namespace_identifier", &[Trait::Name]),
    ("statement_identifier", &[Trait::Name]),
    ("field_identifier", &[Trait::Member]),
    ("this", &[Trait::Receiver]),
    ("number_literal", &[Trait::Number]),
    ("string_literal", &[Trait::Text]),
    ("raw_string_literal", &[Trait::Text]),
    ("system_lib_string", &[Trait::Text]),
    ("char_literal", &[Trait::Character]),
    ("pointer_declarator", &[Trait::Pattern]),
    ("reference_declarator", &[Trait::Pattern]),
    ("array_declarator", &[Trait::Pattern]),
    ("init_declarator", &[Trait::Pattern]),
    ("parenthesized_declarator", &[Trait::Through, Trait::Pattern]),
    ("attributed_declarator", &[Trait::Pattern]),
    ("variadic_declarator", &[Trait::Pattern]),
    ("structured_binding_declarator", &[Trait::Pattern]),
    ("function_definition", &[Trait::Definition, Trait::Scope(Scope::Function)]),
    ("lambda_expression", &[Trait::Definition, Trait::Scope(Scope::Lambda)]),
    ("struct_specifier", &[Trait::Definition, Trait::Scope(Scope::Item)]),
    ("union_specifier", &[Trait::Definition, Trait::Scope(Scope::Item)]),
    ("enum_specifier", &[Trait::Definition]),
    ("class_specifier", &[Trait::Definition, Trait::Scope(Scope::Class)]),
    ("namespace_definition", &[Trait::Scope(Scope::Module)]),
    ("template_declaration", &[Trait::Scope(Scope::Item)]),
    ("compound_statement", &[Trait::Block, Trait::Scope(Scope::Block)]),
    ("if_statement", &[Trait::Statement, Trait::Scope(Scope::Block)]),
    ("for_statement", &[Trait::Statement, Trait::Punctuated, Trait::Scope(Scope::Block)]),
    ("for_range_loop", &[Trait::Statement, Trait::Scope(Scope::Block)]),
    ("while_statement", &[Trait::Statement, Trait::Scope(Scope::Block)]),
    ("do_statement", &[Trait::Statement]),
    ("switch_statement", &[Trait::Statement]),
    ("try_statement", &[Trait::Statement]),
    ("catch_clause", &[Trait::Scope(Scope::Block)]),
    ("concatenated_string", &[Trait::JoinedText]),
    ("attribute_specifier", &[Trait::DropLoose]),
    ("attribute_declaration", &[Trait::DropLoose]),
    ("binary_expression", &[Trait::Binary]),
    ("call_expression", &[Trait::Call]),
    ("update_expression", &[Trait::Call]),
    ("new_expression", &[Trait::Call]),
    ("assignment_expression", &[Trait::Augmented("assignment_expression", "binary_expression"), Trait::Call]),
    ("preproc_include", &[Trait::Import]),
];

#[cfg(any(feature = "c", feature = "cpp"))]
const PLACES: &[(&str, &str, Place)] = &[
    ("parameter_declaration", "declarator", Place::Parameter),
    ("optional_parameter_declaration", "declarator", Place::Parameter),
    ("variadic_parameter_declaration", "declarator", Place::Parameter),
    ("type_parameter_declaration", "", Place::Generic),
    ("declaration", "declarator", Place::Declare),
    ("init_declarator", "value", Place::Use),
    ("array_declarator", "size", Place::Use),
    ("for_range_loop", "declarator", Place::DeclareForBody),
    ("for_range_loop", "body", Place::Body),
    ("condition_clause", "value", Place::Use),
    ("function_declarator", "declarator", Place::OwnName),
    ("field_declaration", "declarator", Place::OwnMember),
    ("struct_specifier", "name", Place::Use),
    ("class_specifier", "name", Place::OwnName),
    ("enumerator", "name", Place::OwnName),
    ("qualified_identifier", "name", Place::Member),
    ("namespace_definition", "name", Place::Key),
    ("labeled_statement", "label", Place::Label),
    ("goto_statement", "label", Place::Label),
    ("preproc_def", "", Place::Key),
    ("preproc_include", "", Place::Key),
];
