//! P0310: one half of `or` that can never act. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(310),
    name: "half-that-never-acts",
    level: Severity::Warning,
    allowable: true,
    summary: "one half of `or` that can never act",
    explanation: "`every 5min or 64 MiB` ships when the interval is over or when the size has gathered, \
        whichever comes first. With the log rate that `assume` states, one of the two always \
        comes first by far, so the other misleads whoever reads it. The size is compared with \
        the peak rate; the interval is called useless only when the size fills a thousand \
        times within it.",
    bad: orders!(
        "\
assume {
  log rate 4 GiB/h
}
objectives of orders_db {
  rpo 6min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  ship every 5s or 1 TiB to nvme
  retain window 15d
}
"
    ),
    good: orders!(
        "\
assume {
  log rate 4 GiB/h
}
objectives of orders_db {
  rpo 6min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  ship every 5min or 64 MiB to nvme
  retain window 15d
}
"
    ),
};
