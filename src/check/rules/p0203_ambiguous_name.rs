//! P0203: a bare name that can mean several things. Found by `resolve`.

use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code(203),
    name: "ambiguous-name",
    level: Severity::Error,
    allowable: false,
    summary: "a bare name that can mean several things",
    explanation: "Databases, tables, tablespaces and groups have namespaces of their own, so one name \
        may stand for several components. planc does not guess which of them is to be backed \
        up or restored: in an incident the wrong guess overwrites the wrong thing. Write the \
        kind before the name, or the service or database and a dot.",
    bad: orders!(
        "\
service orders_db is postgresql {
  database hot
}
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of base, hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  ship every 1min or 64 MiB to nvme
  retain window 15d
}
"
    ),
    good: orders!(
        "\
service orders_db is postgresql {
  database hot
}
objectives of orders_db {
  rpo 5min for loss of host
}
backup all of base, tablespace hot {
  physical full every sun at 04:00
  store on nvme
  retain window 15d
}
archive wal of orders_db {
  ship every 1min or 64 MiB to nvme
  retain window 15d
}
"
    ),
};
