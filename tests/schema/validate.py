#!/usr/bin/env python3
"""Validates every shipped document against its schema: validate.py ROOT. 77: no python3-jsonschema."""

import json
import pathlib

import sys
import warnings

try:
    from jsonschema import Draft7Validator
except ImportError:
    print("skipped: no python3-jsonschema")
    sys.exit(77)
warnings.simplefilter("ignore")  # Debian 12 has no successor of RefResolver, later versions warn
from jsonschema import RefResolver  # noqa: E402

# Where a document that names no schema of its own lies; examples name theirs.
FOLDERS = {
    "models": "model",
    "hwprofiles": "hardware",
    "hwprofiles/efficiency": "efficiency",
    "examples": None,
    "reports": None,
}


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


class Check:
    def __init__(self, root):
        self.root = root
        self.folder = root / "docs" / "schema"
        self.faults = []
        self.documents = 0

    def validator(self, path, part=None):
        schema = read(path)
        resolver = RefResolver(path.as_uri(), schema)
        return Draft7Validator(schema if part is None else part, resolver=resolver)

    def complain(self, path, pointer, message):
        place = "/".join(str(p) for p in pointer)
        self.faults.append(f"{path.relative_to(self.root)}#/{place}: {message[:300]}")

    def document(self, path, default):
        document = read(path)
        named = document.get("$schema")
        if named is None and default is None:
            return self.complain(path, ["$schema"], "missing; expected \"../docs/schema/….json\"")
        target = self.folder / f"{default}.json"
        if named is not None:
            target = (path.parent / named).resolve()
            if target.parent != self.folder or not target.is_file():
                return self.complain(path, ["$schema"], f"{named} is no schema of ours")
        for error in self.validator(target).iter_errors(document):
            self.complain(path, error.absolute_path, error.message)
        self.documents += 1

    def misspelt(self, path):
        """A schema that allows anything proves nothing: every object of the root is strict."""
        document = read(path)
        target = (path.parent / document["$schema"]).resolve()
        if self.validator(target).is_valid({**document, "zzzz": 1}):
            self.complain(path, [], "still valid with a key that no reader knows")

    def schema(self, path):
        schema = read(path)
        try:
            Draft7Validator.check_schema(schema)
        except Exception as error:  # the exception's type moved between versions
            return self.complain(path, [], str(error))
        self.parts(path, schema, [])

    def parts(self, path, node, pointer):
        if isinstance(node, list):
            for i, item in enumerate(node):
                self.parts(path, item, pointer + [i])
        if not isinstance(node, dict):
            return
        conditional = {"if", "then"} & set(map(str, pointer))
        for name, part in node.get("properties", {}).items() if not conditional else []:
            narrowed = set(part) <= {"minimum", "maximum"}  # of a part that is described elsewhere
            if not narrowed and "$ref" not in part and not part.get("description"):
                self.complain(path, pointer + ["properties", name], "no description")
            for value in part.get("examples", []) + ([part["default"]] if "default" in part else []):
                for error in self.validator(path, part).iter_errors(value):
                    self.complain(path, pointer + ["properties", name], error.message)
        for key, item in node.items():
            self.parts(path, item, pointer + [key])

    def run(self):
        for path in sorted(self.folder.glob("*.json")):
            self.schema(path)
        for folder, default in FOLDERS.items():
            for path in sorted((self.root / folder).glob("*.json")):
                self.document(path, default)
        for folder in ("examples", "reports"):
            for path in sorted((self.root / folder).glob("*.json")):
                if "$schema" in read(path):
                    self.misspelt(path)
        print("\n".join(self.faults) or f"{self.documents} documents agree with their schemas")
        return 1 if self.faults else 0


sys.exit(Check(pathlib.Path(sys.argv[1]).resolve()).run())
