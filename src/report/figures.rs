//! Every quantity of a plan as a sum of its terms, for people and machines. Must not judge.

use serde_json::{Value, json};

use crate::estimate::Figure;
use crate::outlook::figures::Quantity;
use crate::report::columns::columns;

/// A table: number, what, of what, value, sum.
#[must_use]
pub fn human(all: &[Quantity]) -> String {
    let mut out = String::new();
    let line = |quantity: &Quantity| {
        [
            format!("Q{}", quantity.number),
            quantity.name.to_owned(),
            quantity.of.clone(),
            value(quantity),
            sum(quantity),
        ]
    };
    let head = ["#", "QUANTITY", "OF", "VALUE", "SUM"];
    columns(&mut out, head, all.iter().map(line));
    out
}

/// The value; what it is at least when something is missing, and `?` when all is.
fn value(quantity: &Quantity) -> String {
    let words = quantity.unit.words(quantity.figure.total());
    match &quantity.figure {
        Figure { missing: None, .. } => words,
        Figure { terms, .. } if terms.is_empty() => "?".to_owned(),
        _ => format!(">= {words}"),
    }
}

/// `4s to send the last of it + 5min between shipments; not known: …`
fn sum(quantity: &Quantity) -> String {
    let terms = quantity.figure.terms.iter();
    let terms = terms.map(|(name, value)| format!("{} {name}", quantity.unit.words(*value)));
    let sum = terms.collect::<Vec<_>>().join(" + ");
    match &quantity.figure.missing {
        None => sum,
        Some(missing) if sum.is_empty() => format!("not known: {missing}"),
        Some(missing) => format!("{sum}; not known: {missing}"),
    }
}

/// `planc-figures/1.0`.
#[must_use]
pub fn json(environments: &[(String, Vec<Quantity>)]) -> String {
    let one = |quantity: &Quantity| -> Value {
        let terms = quantity.figure.terms.iter();
        let terms = terms.map(|(name, value)| json!([name, value]));
        json!({
            "quantity": quantity.number,
            "name": quantity.name,
            "of": quantity.of,
            "unit": quantity.unit,
            "value": (!quantity.figure.terms.is_empty()).then(|| quantity.figure.total()),
            "terms": terms.collect::<Vec<_>>(),
            "missing": quantity.figure.missing,
        })
    };
    let all = environments.iter().map(|(name, quantities)| {
        let quantities: Vec<Value> = quantities.iter().map(one).collect();
        json!({"environment": name, "quantities": quantities})
    });
    let all: Vec<Value> = all.collect();
    let document = json!({
        "format": "planc-figures/1.0",
        "planc": env!("CARGO_PKG_VERSION"),
        "environments": all,
    });
    format!("{document:#}\n")
}
