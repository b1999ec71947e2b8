//! Owns the demo's sample database: a small shop, filled from a seed, and a writer that keeps it
//! busy. Must not know anything of planc's own work on it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::{Connection, params};

/// Orders in the sample; each has one to four lines.
const ORDERS: i64 = 12_000;

/// A small generator of numbers (xorshift64*), so that the same seed gives the same shop.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number from 0 to `bound` - 1; `bound` is positive.
    fn below(&mut self, bound: i64) -> i64 {
        (self.next() >> 1).cast_signed() % bound
    }
}

/// Makes the shop: customers, orders and their lines, some ten thousand rows.
///
/// # Errors
/// When SQLite refuses; the folder must exist and hold no such file.
pub(super) fn create(path: &Path, seed: u64) -> rusqlite::Result<()> {
    let mut shop = Connection::open(path)?;
    shop.pragma_update(None, "journal_mode", "wal")?;
    shop.execute_batch(
        "create table customers (id integer primary key, name text not null);
         create table orders (id integer primary key, customer integer not null
             references customers, placed_at text not null);
         create table order_lines (order_id integer not null references orders,
             line integer not null, article text not null, pieces integer not null,
             primary key (order_id, line)) without rowid;",
    )?;
    let mut numbers = Numbers(seed | 1);
    let fill = shop.transaction()?;
    for customer in 1..=ORDERS / 10 {
        fill.execute(
            "insert into customers values (?1, ?2)",
            params![customer, format!("Customer {:08x}", numbers.below(1 << 32))],
        )?;
    }
    for order in 1..=ORDERS {
        place_order(&fill, order, &mut numbers)?;
    }
    fill.commit()
}

fn place_order(shop: &Connection, order: i64, numbers: &mut Numbers) -> rusqlite::Result<()> {
    let (hour, minute) = (numbers.below(24), numbers.below(60));
    shop.prepare_cached("insert into orders values (?1, ?2, ?3)")?
        .execute(params![
            order,
            1 + numbers.below(ORDERS / 10),
            format!("2026-01-{:02}T{hour:02}:{minute:02}:00Z", 1 + order % 28),
        ])?;
    for line in 0..=numbers.below(4) {
        shop.prepare_cached("insert into order_lines values (?1, ?2, ?3, ?4)")?
            .execute(params![
                order,
                line,
                format!("A-{:05}", numbers.below(50_000)),
                1 + numbers.below(9),
            ])?;
    }
    Ok(())
}

/// Places orders, one small transaction each, until told to stop; returns how many.
///
/// # Errors
/// When SQLite refuses, for example because a writer was kept waiting too long.
pub(super) fn keep_busy(path: &Path, seed: u64, stop: &AtomicBool) -> rusqlite::Result<i64> {
    let mut database = Connection::open(path)?;
    database.busy_timeout(Duration::from_mins(1))?;
    let mut numbers = Numbers(seed | 1);
    let first: i64 = database.query_row("select max(id) + 1 from orders", [], |row| row.get(0))?;
    let mut placed = 0;
    while !stop.load(Ordering::Relaxed) {
        let transaction = database.transaction()?;
        place_order(&transaction, first + placed, &mut numbers)?;
        transaction.commit()?;
        placed += 1;
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(placed)
}

/// What the shop holds: number of rows and a hash of all of them, table by table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    /// Table, rows, BLAKE3 of all rows in the order of their key.
    pub(super) tables: Vec<(&'static str, u64, String)>,
}

/// Reads every row of every table.
///
/// # Errors
/// When the file is no such shop.
pub(super) fn content(path: &Path) -> rusqlite::Result<Content> {
    let shop = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let one_view = shop.unchecked_transaction()?;
    let mut tables = Vec::new();
    for (table, key) in [("customers", "1"), ("orders", "1"), ("order_lines", "1, 2")] {
        let mut hash = blake3::Hasher::new();
        let mut count = 0;
        let mut rows = one_view.prepare(&format!("select * from {table} order by {key}"))?;
        let columns = rows.column_count();
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                hash.update(format!("{:?}|", row.get_ref(column)?).as_bytes());
            }
            count += 1;
        }
        tables.push((table, count, hash.finalize().to_hex()[..16].to_owned()));
    }
    Ok(Content { tables })
}

/// The mistake: every line of every order goes, in one transaction. Returns how many.
///
/// # Errors
/// When SQLite refuses.
pub(super) fn make_the_mistake(path: &Path) -> rusqlite::Result<usize> {
    let shop = Connection::open(path)?;
    shop.busy_timeout(Duration::from_mins(1))?;
    shop.execute("delete from order_lines", [])
}
