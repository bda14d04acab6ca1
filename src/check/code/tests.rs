use std::time::Instant;

use super::super::units::tests::{function, index_of};
use super::*;
use crate::query::passages::find_code;
use crate::query::prints::Prints;
use crate::verify::marks::MarkTable;
use crate::verify::work::Work;

#[test]
fn a_deadline_is_no_lack_of_room() {
    let index = index_of(vec![function(7)]);
    let text = function(7);
    let (mut prints, mut code_prints) = (Prints::default(), CodePrints::default());
    prints.compute(index.fingerprinter(), &text);
    code_prints.compute(index.fingerprinter(), &text, Language::Python);
    let table = MarkTable::new(|kind, spelling| index.fingerprinter().lexer().hash_of(kind, spelling));
    for (deadline, is_late) in [(None, false), (Some(Instant::now()), true)] {
        let subject = Subject { index: &index, text: &text, prints: &prints, deadline };
        let part =
            CodeSubject { subject, start: 0, code: &text, language: Language::Python, prints: &code_prints, rare: &[] };
        let mut found = find_code(&index, &code_prints, &[], None).unwrap();
        let (mut work, mut buffers) = (Work::default(), CodeBuffers::default());
        let Found { verified, .. } = verify(part, &table, &mut found, 12, &mut work, &mut buffers).unwrap();
        assert_eq!((verified.is_late, verified.is_overfull, verified.copies.is_empty()), (is_late, false, is_late));
    }
}
