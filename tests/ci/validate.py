"""Validates a JSON document: validate.py SCHEMA DOCUMENT. Prints each complaint; 1 for any."""

import json
import sys

import jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
with open(sys.argv[2], encoding="utf-8") as file:
    document = json.load(file)
validator = jsonschema.validators.validator_for(schema)
validator.check_schema(schema)
complaints = list(validator(schema).iter_errors(document))
for complaint in complaints:
    place = "/".join(str(part) for part in complaint.absolute_path)
    print(f"{place}: {complaint.message[:200]}")
sys.exit(1 if complaints else 0)
