"""Reads an OpenAPI document as other people's tools do: with a validator of the specification, and as YAML."""

import json
import sys

import yaml
from openapi_spec_validator import validate

with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
document = json.loads(text)
validate(document)
assert yaml.safe_load(text) == document, "as YAML it says something else"
