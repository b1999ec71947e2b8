//! The schema of inventories, made from the same tables of fields by which they are read, so
//! that no field can be forgotten here.

use serde_json::{Map, Value, json};

use crate::facts::inventory::field_tables;
use crate::resolve::plan::EngineKind;

/// Draft 7, because editors know that one best.
pub(super) fn schema() -> Value {
    let tables = field_tables().iter();
    let definitions: Map<String, Value> = tables
        .map(|(name, fields)| ((*name).to_owned(), object(name, fields)))
        .collect();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "urn:planc:inventory:1.0",
        "title": "planc inventory, version 1",
        "description": "Where the things of a plan are in one environment.",
        "allOf": [{"$ref": "#/definitions/inventory"}],
        "definitions": definitions,
    })
}

/// A map with these fields and no others; an empty entry (`near:`) counts as `{}`.
fn object(table: &str, fields: &[&str]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| ((*field).to_owned(), field_schema(table, field)))
        .collect();
    json!({
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": false,
    })
}

fn field_schema(table: &str, field: &str) -> Value {
    let named = |of: &str| {
        json!({
            "type": ["object", "null"],
            "additionalProperties": {"$ref": format!("#/definitions/{of}")},
        })
    };
    match (table, field) {
        ("inventory", "inventory") => json!({"const": 1}),
        ("inventory", "sites") => named("site"),
        ("inventory", "hosts") => named("host"),
        ("inventory", "services") => named("service"),
        ("inventory", "devices") => named("device"),
        ("inventory", "keys") => named("key"),
        ("inventory", "contacts") => named("contact"),
        ("inventory", "catalog") => json!({"$ref": "#/definitions/catalog"}),
        ("host", "disks") => named("disk"),
        ("catalog", "postgres") | ("service", "connect") => {
            json!({"$ref": "#/definitions/connect"})
        }
        ("service", "engine") => json!({"enum": EngineKind::ALL.map(EngineKind::word)}),
        ("service", "tablespaces") => disks(),
        ("service", "databases") => json!({"type": ["object", "array", "null"]}),
        ("service", "labels") => texts(),
        ("device", "s3" | "azure" | "gcs" | "library") => {
            json!({"$ref": format!("#/definitions/{field}")})
        }
        ("s3" | "azure" | "gcs", "secret_key" | "token" | "service_account") => {
            json!({"type": "object"})
        }
        ("library", "drives") => json!({"type": ["array", "string"], "items": {"type": "string"}}),
        ("library", "most_errors" | "most_mounts") => json!({"type": "integer", "minimum": 1}),
        ("library", "folder" | "changer") => json!({"type": "string"}),
        ("connect", "port") => json!({"type": ["integer", "string", "object"]}),
        ("connect", _) => json!({"type": ["string", "object"]}),
        _ => quantity(field),
    }
}

/// Tablespaces with the disk or disks they lie on.
fn disks() -> Value {
    json!({
        "type": ["object", "null"],
        "additionalProperties": {
            "type": ["string", "array", "null"],
            "items": {"type": "string"},
        },
    })
}

fn texts() -> Value {
    json!({"type": ["object", "null"], "additionalProperties": {"type": "string"}})
}

/// Fields that mean the same in every table; what is not told apart here is left open.
fn quantity(field: &str) -> Value {
    const NUMBER: &str = r"^[0-9]+(\.[0-9]+)? ?";
    let form = |units: &str, example: &str| {
        json!({
            "type": "string",
            "pattern": format!("{NUMBER}{units}$"),
            "examples": [example],
        })
    };
    match field {
        "capacity" | "free" | "volume_size" => form("([KMGTP]i)?B", "64 MiB"),
        "write" | "read" | "replay" | "import" => {
            form("(([KMGTP]i)?B|[MG]bit)/(s|h|day|d)", "400 MiB/s")
        }
        "fetch" => form("(ms|s|min|h|d|w)", "4h"),
        "drives" | "volumes" => json!({"type": "integer", "minimum": 1}),
        "append" | "immutable" | "reduces" | "conditional_put" => json!({"type": "boolean"}),
        "path" | "host" | "site" | "disk" | "note" | "city" | "address" | "facts" | "state"
        | "endpoint" | "bucket" | "container" | "account" | "region" | "prefix" | "since"
        | "escrow_until" | "version" => json!({"type": "string"}),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let schema = schema();
        let text = schema.to_string();
        for (at, found) in text.match_indices("#/definitions/") {
            let rest = &text[at + found.len()..];
            let name = &rest[..rest.find('"').expect("quoted")];
            assert!(schema["definitions"][name].is_object(), "{name}");
        }
    }
}
