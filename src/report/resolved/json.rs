//! Owns the resolved plan as JSON. Fields are added in minor versions, removed only in major ones.
//!
//! ```text
//! {"format": "planc-resolved/1.0", "planc": "0.1.0", "plan": "orders", "environments": [
//!  {"environment": "prod", "hash": "…", "blocks": [
//!   {"block": "backup", "name": "large", "policy": null, "instance": null, "values": [
//!    {"key": "compress", "value": "zstd 3", "origin": {"from": "default", "file": null,
//!     "line": null, "policy": null, "params": []}}]}]}]}
//! ```
//! `from` is one of `default`, `line`, `inventory`, `policy`, `override`. Each of `params` has
//! `name`, `given` (`default`, `environment` or `with`), `file` and `line`.

use serde_json::{Value, json};

use super::{Block, From, Origin, Param};
use crate::resolve::plan::{Given, ResolvedPlan};

/// Version of the form.
const FORMAT: &str = "planc-resolved/1.0";

/// The values of a plan in its environments.
#[must_use]
pub fn json(name: &str, environments: &[(&ResolvedPlan, Vec<Block>)]) -> Value {
    let all = environments.iter().map(|(plan, blocks)| {
        json!({
            "environment": plan.environment,
            "hash": plan.hash,
            "blocks": blocks.iter().map(block).collect::<Vec<_>>(),
        })
    });
    json!({
        "format": FORMAT,
        "planc": env!("CARGO_PKG_VERSION"),
        "plan": name,
        "environments": all.collect::<Vec<_>>(),
    })
}

fn block(block: &Block) -> Value {
    let values = block.values.iter().map(
        |value| json!({"key": value.key, "value": value.value, "origin": origin(&value.origin)}),
    );
    json!({
        "block": block.kind,
        "name": block.name,
        "policy": block.policy,
        "instance": block.instance,
        "values": values.collect::<Vec<_>>(),
    })
}

fn origin(origin: &Origin) -> Value {
    let (from, policy) = match &origin.from {
        From::Default => ("default", None),
        From::Line => ("line", None),
        From::Inventory => ("inventory", None),
        From::Policy(policy) => ("policy", Some(policy)),
        From::Override => ("override", None),
    };
    let (file, line) = origin.place.clone().unzip();
    json!({
        "from": from,
        "policy": policy,
        "file": file,
        "line": line,
        "params": origin.params.iter().map(param).collect::<Vec<_>>(),
    })
}

fn param(param: &Param) -> Value {
    let given = match param.given {
        Given::Default => "default",
        Given::Environment => "environment",
        Given::With => "with",
    };
    let (file, line) = &param.place;
    json!({"name": param.name, "given": given, "file": file, "line": line})
}
