//! Owns the payload of a log range, version 1. All numbers are little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `planwal1` |
//! | 4 | page size: a power of two from 512 to 65536 |
//! | 4 | number of transactions, at least 1 |
//! | … | the transactions |
//! | 32 | BLAKE3 of everything before |
//!
//! A transaction: ordinal (8), seconds since 1970 (8, signed), nanoseconds (4,
//! signed), size of the
//! database after it in pages (4), number of pages (4), then each page: its number (4, from 1,
//! rising) and its content. Ordinals rise by one, times never fall. A page stands once in a
//! transaction, as the transaction left it.

use std::collections::BTreeMap;

use jiff::Timestamp;

const MAGIC: &[u8; 8] = b"planwal1";
const HEADER: usize = 16;
const HASH: usize = 32;
/// Bytes of a transaction before its pages.
const TRANSACTION: usize = 28;

/// One transaction of a payload.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Transaction<'a> {
    pub(super) ordinal: u64,
    pub(super) at: Timestamp,
    pub(super) db_pages: u32,
    pub(super) pages: Vec<(u32, &'a [u8])>,
}

/// Builds a payload.
pub(super) struct Builder {
    bytes: Vec<u8>,
    count: u32,
}

impl Builder {
    pub(super) fn new(page_size: u32) -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(page_size.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        Self { bytes, count: 0 }
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn push(
        &mut self,
        ordinal: u64,
        at: Timestamp,
        db_pages: u32,
        pages: &BTreeMap<u32, Vec<u8>>,
    ) {
        self.bytes.extend(ordinal.to_le_bytes());
        self.bytes.extend(at.as_second().to_le_bytes());
        self.bytes.extend(at.subsec_nanosecond().to_le_bytes());
        self.bytes.extend(db_pages.to_le_bytes());
        let count = u32::try_from(pages.len()).unwrap_or(u32::MAX);
        self.bytes.extend(count.to_le_bytes());
        for (number, page) in pages {
            self.bytes.extend(number.to_le_bytes());
            self.bytes.extend(page);
        }
        self.count += 1;
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes[12..HEADER].copy_from_slice(&self.count.to_le_bytes());
        let hash = blake3::hash(&self.bytes);
        self.bytes.extend(hash.as_bytes());
        self.bytes
    }
}

/// A proven payload.
#[derive(Debug)]
pub(super) struct Payload<'a> {
    pub(super) page_size: u32,
    pub(super) transactions: Vec<Transaction<'a>>,
}

/// Proves and takes apart a payload. Never allocates more than the payload is long.
///
/// # Errors
/// Says what is wrong.
pub(super) fn decode(bytes: &[u8]) -> Result<Payload<'_>, String> {
    let (body, hash) = bytes.split_last_chunk::<HASH>().ok_or("it is too short")?;
    if !body.starts_with(MAGIC) {
        return Err("it is not a log of SQLite pages, version 1".to_owned());
    }
    if blake3::hash(body).as_bytes() != hash {
        return Err("its hash is wrong".to_owned());
    }
    let mut rest = Rest(&body[MAGIC.len()..]);
    let page_size = rest.word()?;
    if !page_size.is_power_of_two() || !(512..=65_536).contains(&page_size) {
        return Err(format!("{page_size} is no page size"));
    }
    let count = rest.word()? as usize;
    if count == 0 || count > rest.0.len() / TRANSACTION {
        return Err(format!("it cannot hold {count} transactions"));
    }
    let mut transactions: Vec<Transaction<'_>> = Vec::with_capacity(count);
    for _ in 0..count {
        let next = rest.transaction(page_size as usize)?;
        if let Some(last) = transactions.last() {
            follows(last, &next)?;
        }
        transactions.push(next);
    }
    if rest.0.is_empty() {
        Ok(Payload {
            page_size,
            transactions,
        })
    } else {
        Err("it has bytes left over".to_owned())
    }
}

fn follows(last: &Transaction<'_>, next: &Transaction<'_>) -> Result<(), String> {
    if last.ordinal.checked_add(1) == Some(next.ordinal) && last.at <= next.at {
        return Ok(());
    }
    Err(format!(
        "transaction {} does not follow {}",
        next.ordinal, last.ordinal
    ))
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or("it ends in the middle of a transaction")?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn word(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn transaction(&mut self, page_size: usize) -> Result<Transaction<'a>, String> {
        let ordinal = u64::from_le_bytes(self.array()?);
        let second = i64::from_le_bytes(self.array()?);
        let nanos = i32::from_le_bytes(self.array()?);
        let at = Timestamp::new(second, nanos).map_err(|_| "a time is out of range")?;
        let (db_pages, count) = (self.word()?, self.word()? as usize);
        if db_pages == 0 || count == 0 || count > self.0.len() / page_size {
            return Err(format!("transaction {ordinal} has impossible sizes"));
        }
        let mut pages: Vec<(u32, &[u8])> = Vec::with_capacity(count);
        for _ in 0..count {
            let number = self.word()?;
            if number <= pages.last().map_or(0, |page| page.0) {
                return Err(format!("transaction {ordinal} has its pages out of order"));
            }
            pages.push((number, self.take(page_size)?));
        }
        Ok(Transaction {
            ordinal,
            at,
            db_pages,
            pages,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Vec<u8> {
        let mut builder = Builder::new(512);
        let pages = BTreeMap::from([(1, vec![7; 512]), (9, vec![8; 512])]);
        builder.push(3, Timestamp::new(-5, -7).expect("it works here"), 9, &pages);
        builder.push(4, Timestamp::new(5, 7).expect("it works here"), 9, &pages);
        builder.finish()
    }

    #[test]
    fn what_is_built_is_decoded() {
        let bytes = sample();
        let payload = decode(&bytes).expect("it works here");
        assert_eq!(payload.page_size, 512);
        let ordinals: Vec<u64> = payload.transactions.iter().map(|one| one.ordinal).collect();
        assert_eq!(ordinals, [3, 4]);
        assert_eq!(payload.transactions[1].pages[1], (9, [8; 512].as_slice()));
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = sample();
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn every_flip_is_refused(at in any::<prop::sample::Index>(), bit in 0..8_u32) {
            let mut bytes = sample();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(decode(&bytes).is_err());
        }

        #[test]
        fn sealed_nonsense_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = MAGIC.to_vec();
            bytes.extend(512_u32.to_le_bytes());
            bytes.extend(noise);
            let hash = blake3::hash(&bytes);
            bytes.extend(hash.as_bytes());
            let _ = decode(&bytes);
        }
    }
}
