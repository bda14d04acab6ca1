use std::time::Instant;

use super::super::units::tests::{function, index_of};
use super::*;
use crate::query::passages::find_code;
use crate::query::prints::Prints;

#[test]
fn a_deadline_within_a_document_is_no_lack_of_room() {
    let index = index_of(vec![function(7)]);
    let text = function(7);
    let (mut prints, mut code_prints) = (Prints::default(), CodePrints::default());
    prints.compute(index.fingerprinter(), &text);
    code_prints.compute(index.fingerprinter(), &text, Language::Python);
    let found = find_code(&index, &code_prints, None).unwrap();
    let table = MarkTable::new(|kind, spelling| index.fingerprinter().lexer().hash_of(kind, spelling));
    for (deadline, is_late) in [(None, false), (Some(Instant::now()), true)] {
        let subject = Subject { index: &index, text: &text, prints: &prints, deadline };
        let part = CodeSubject { subject, start: 0, code: &text, language: Language::Python, prints: &code_prints };
        let mut buffers = CodeBuffers::default();
        buffers.query.prepare(&text, Language::Python, &code_prints.lexemes, &table);
        let mut job = Job {
            part,
            table: &table,
            candidates: &found,
            candidate: &found.documents[0],
            units: &KnownUnits::default(),
            tokens_min: 12,
            work: &mut Work::default(),
            buffers: &mut buffers,
            weak: Vec::new(),
            is_late: false,
        };
        let mut copies = Vec::new();
        let is_overfull = job.align_regions(&mut copies).unwrap();
        assert_eq!((job.is_late, is_overfull, copies.is_empty()), (is_late, false, is_late));
    }
}
