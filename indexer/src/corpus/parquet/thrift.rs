//! Walks Thrift's compact protocol, in which Parquet writes its footer and its page headers, without building anything.
//!
//! The walk proves that every length fits the bytes that are there, before the parquet crate allocates by those
//! lengths.
//!
//! Source: Apache Thrift, `doc/specs/thrift-compact-protocol.md`.

/// Deepest nesting that is walked. Parquet's own structures have 8 levels.
const DEPTH_MAX: u32 = 32;

/// Most elements of a list of structures: row groups, columns of a row group. The parquet crate reserves some hundred
/// bytes for each before it reads one.
const STRUCTS_MAX: usize = 1 << 20;

/// Type of a field or an element, by its code in the protocol.
pub(super) type Type = u8;
pub(super) const I32: Type = 5;
pub(super) const LIST: Type = 9;
pub(super) const STRUCT: Type = 12;

/// Why a walk stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The bytes end within a value.
    Truncated,
    /// The bytes are no such structure, or one that no writer makes.
    Malformed,
}

/// A place in the bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Returns the number of bytes walked over.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Reads the header of a structure's next field: its id and type, `None` at the end of the structure. `last_id` is
    /// the id of the field before it, and 0 at first.
    pub(super) fn field(&mut self, last_id: &mut i16) -> Result<Option<(i16, Type)>, Stop> {
        let header = self.byte()?;
        if header == 0 {
            return Ok(None);
        }
        let delta = i16::from(header >> 4);
        let id = if delta == 0 {
            i16::try_from(self.zigzag()?).map_err(|_| Stop::Malformed)?
        } else {
            last_id.checked_add(delta).ok_or(Stop::Malformed)?
        };
        *last_id = id;
        Ok(Some((id, header & 15)))
    }

    /// Reads the header of a list: the type and number of its elements.
    pub(super) fn list(&mut self) -> Result<(Type, usize), Stop> {
        let header = self.byte()?;
        let n = match header >> 4 {
            15 => usize::try_from(self.varint()?).map_err(|_| Stop::Malformed)?,
            short => usize::from(short),
        };
        // Every element takes a byte at least.
        if n > self.bytes.len() - self.position {
            return Err(Stop::Truncated);
        }
        let element = header & 15;
        if element == STRUCT && n > STRUCTS_MAX { Err(Stop::Malformed) } else { Ok((element, n)) }
    }

    /// Reads an integer of 16, 32 or 64 bits.
    pub(super) fn zigzag(&mut self) -> Result<i64, Stop> {
        let value = self.varint()?;
        let magnitude = i64::try_from(value >> 1).map_err(|_| Stop::Malformed)?;
        Ok(if value & 1 == 0 { magnitude } else { -magnitude - 1 })
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self, value: Type) -> Result<(), Stop> {
        self.skip_within(value, DEPTH_MAX)
    }

    fn skip_within(&mut self, value: Type, depth_left: u32) -> Result<(), Stop> {
        let depth_left = depth_left.checked_sub(1).ok_or(Stop::Malformed)?;
        match value {
            1 | 2 => Ok(()),
            3 => self.advance(1),
            4..=6 => self.varint().map(drop),
            7 => self.advance(8),
            8 => {
                let n = usize::try_from(self.varint()?).map_err(|_| Stop::Malformed)?;
                self.advance(n)
            }
            LIST | 10 => {
                let (element, n) = self.list()?;
                (0..n).try_for_each(|_| self.skip_element(element, depth_left))
            }
            11 => {
                let n = usize::try_from(self.varint()?).map_err(|_| Stop::Malformed)?;
                if n == 0 {
                    return Ok(());
                }
                let types = self.byte()?;
                if n > self.bytes.len() - self.position {
                    return Err(Stop::Truncated);
                }
                (0..n).try_for_each(|_| {
                    self.skip_element(types >> 4, depth_left)?;
                    self.skip_element(types & 15, depth_left)
                })
            }
            STRUCT => {
                let mut last_id = 0;
                while let Some((_, value)) = self.field(&mut last_id)? {
                    self.skip_within(value, depth_left)?;
                }
                Ok(())
            }
            13 => self.advance(16),
            _ => Err(Stop::Malformed),
        }
    }

    /// Passes over an element: as a field, but a boolean has a byte of its own.
    fn skip_element(&mut self, element: Type, depth_left: u32) -> Result<(), Stop> {
        if element == 1 || element == 2 { self.advance(1) } else { self.skip_within(element, depth_left) }
    }

    fn varint(&mut self) -> Result<u64, Stop> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Stop::Malformed)
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        let byte = *self.bytes.get(self.position).ok_or(Stop::Truncated)?;
        self.position += 1;
        Ok(byte)
    }

    fn advance(&mut self, n: usize) -> Result<(), Stop> {
        if n > self.bytes.len() - self.position {
            return Err(Stop::Truncated);
        }
        self.position += n;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_type_are_passed_over() {
        for (value, bytes) in [
            (1, &[][..]),
            (3, &[7]),
            (5, &[0x80, 0x01]),
            (7, &[0; 8]),
            (8, &[3, 1, 2, 3]),
            (LIST, &[0x35, 1, 2, 3]),
            (LIST, &[0x21, 1, 2]),
            (LIST, &[0xf8, 2, 1, 9, 0]),
            (11, &[0]),
            (11, &[1, 0x58, 4, 2, 1, 1]),
            (STRUCT, &[0x15, 2, 0x2c, 0x11, 0, 0x08, 0x04, 1, 9, 0]),
            (13, &[0; 16]),
        ] {
            let mut walk = Walk::new(bytes);
            assert_eq!(walk.skip(value), Ok(()), "{value}: {bytes:?}");
            assert_eq!(walk.position(), bytes.len(), "{value}: {bytes:?}");
            for cut in 0..bytes.len() {
                assert_eq!(
                    Walk::new(&bytes[..cut]).skip(value),
                    Err(Stop::Truncated),
                    "{value}: {bytes:?} cut to {cut}"
                );
            }
        }
    }

    #[test]
    fn lengths_beyond_the_bytes_and_endless_nesting_are_refused() {
        let many = [0xfc, 0xff, 0xff, 0x7f];
        assert_eq!(Walk::new(&many).skip(LIST), Err(Stop::Truncated));
        assert_eq!(Walk::new(&[0xff; 20]).skip(8), Err(Stop::Malformed));
        let nested = [0x1c; 1000];
        assert_eq!(Walk::new(&nested).skip(STRUCT), Err(Stop::Malformed));
        let nested = [0x19; 1000];
        assert_eq!(Walk::new(&nested).skip(LIST), Err(Stop::Malformed));
    }

    #[test]
    fn numbers_are_read_with_their_sign() {
        for (bytes, expected) in [(&[0][..], 0), (&[1], -1), (&[2], 1), (&[0xd8, 0x04], 300)] {
            assert_eq!(Walk::new(bytes).zigzag(), Ok(expected));
        }
    }
}
