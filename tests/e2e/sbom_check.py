# SPDX-License-Identifier: Apache-2.0
"""Checks bills of materials: sbom_check.py spdx|cyclonedx FILE PREFIX. Prints what is wrong.

What the standards require is written down here once more, by hand, and strictly; where the published
schema of CycloneDX is installed (python3-cyclonedx-lib), it is asked too, and says so.
"""
import hashlib
import json
import pathlib
import re
import sys

faults = []


def need(what, holds):
    if not holds:
        faults.append(what)


def fields(what, value, required, optional=()):
    need(f"{what} is no object", isinstance(value, dict))
    need(f"{what} lacks {sorted(set(required) - set(value))}", set(required) <= set(value))
    need(f"{what} has {sorted(set(value) - set(required) - set(optional))}", set(value) <= set(required) | set(optional))


def matches(what, pattern, value):
    need(f"{what}: {value!r}", isinstance(value, str) and re.fullmatch(pattern, value))


ID = r"SPDXRef-[A-Za-z0-9.-]+"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
PURL = r"pkg:(deb/debian/[a-z0-9.+%-]+@[A-Za-z0-9.~_%-]+\?arch=[a-z0-9]+&distro=debian-13|generic/airlock@[0-9.]+)"
LICENCE = r"(NOASSERTION|(LicenseRef-)?[A-Za-z0-9.-]+( (AND|OR|WITH) (LicenseRef-)?[A-Za-z0-9.-]+)*)"
RELATIONS = {"DESCRIBES", "CONTAINS", "STATIC_LINK", "GENERATED_FROM", "BUILD_TOOL_OF"}


def check_hash(what, prefix, path, algorithm, value):
    data = (prefix / path).read_bytes()
    need(f"{what} has another {algorithm}", hashlib.new(algorithm.replace("-", "").lower(), data).hexdigest() == value)


def spdx(document, prefix):
    fields("document", document, ["spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo",
                                  "packages", "files", "relationships"], ["hasExtractedLicensingInfos"])
    need("version", document["spdxVersion"] == "SPDX-2.3" and document["dataLicense"] == "CC0-1.0")
    need("id", document["SPDXID"] == "SPDXRef-DOCUMENT")
    matches("namespace", r"[a-z]+:[^#\s]+", document["documentNamespace"])
    fields("creationInfo", document["creationInfo"], ["created", "creators"])
    matches("created", TIME, document["creationInfo"]["created"])
    for creator in document["creationInfo"]["creators"]:
        matches("creator", r"(Tool|Organization|Person): \S+", creator)
    ids, texts = {"SPDXRef-DOCUMENT"}, {one["licenseId"] for one in document.get("hasExtractedLicensingInfos", [])}
    for one in document.get("hasExtractedLicensingInfos", []):
        fields("extracted", one, ["licenseId", "extractedText"])
        matches("extracted id", r"LicenseRef-[A-Za-z0-9.-]+", one["licenseId"])
        need("extracted text is empty", one["extractedText"].strip())
    for package in document["packages"]:
        fields("package", package, ["SPDXID", "name", "versionInfo", "downloadLocation", "filesAnalyzed", "licenseConcluded",
                                    "licenseDeclared", "copyrightText"],
               ["supplier", "sourceInfo", "licenseComments", "homepage", "externalRefs", "primaryPackagePurpose"])
        matches("package id", ID, package["SPDXID"])
        need(f"{package['SPDXID']} twice", package["SPDXID"] not in ids)
        ids.add(package["SPDXID"])
        need("files were not analysed", package["filesAnalyzed"] is False)
        matches("supplier", r"NOASSERTION|(Organization|Person): .+", package.get("supplier", "NOASSERTION"))
        matches("licence", LICENCE, package["licenseDeclared"])
        for name in re.findall(r"LicenseRef-[A-Za-z0-9.-]+", package["licenseDeclared"]):
            need(f"{name} has no text", name in texts)
        need("purpose", package.get("primaryPackagePurpose", "SOURCE") in ("SOURCE", "APPLICATION"))
        for reference in package.get("externalRefs", []):
            fields("reference", reference, ["referenceCategory", "referenceType", "referenceLocator"])
            need("category", (reference["referenceCategory"], reference["referenceType"]) == ("PACKAGE-MANAGER", "purl"))
            matches("purl", PURL, reference["referenceLocator"])
    for file in document["files"]:
        fields("file", file, ["SPDXID", "fileName", "checksums", "licenseConcluded", "copyrightText"], ["fileTypes"])
        matches("file id", ID, file["SPDXID"])
        matches("file name", r"\./[a-z/-]+", file["fileName"])
        ids.add(file["SPDXID"])
        need("a file needs SHA1", [one["algorithm"] for one in file["checksums"]] == ["SHA1", "SHA256"])
        for one in file["checksums"]:
            check_hash(file["fileName"], prefix, file["fileName"], one["algorithm"], one["checksumValue"])
    for relation in document["relationships"]:
        fields("relation", relation, ["spdxElementId", "relationshipType", "relatedSpdxElement"])
        need(f"relation {relation}", relation["relationshipType"] in RELATIONS
             and {relation["spdxElementId"], relation["relatedSpdxElement"]} <= ids)
    kinds = [relation["relationshipType"] for relation in document["relationships"]]
    need("what it describes", kinds.count("DESCRIBES") == 1)
    need("every program links something", {relation["spdxElementId"] for relation in document["relationships"]
                                           if relation["relationshipType"] == "STATIC_LINK"}
         == {file["SPDXID"] for file in document["files"]})
    on_disk = {path.name for folder in ("bin", "libexec/airlock") for path in (prefix / folder).iterdir()}
    need("every program of the release", {pathlib.Path(file["fileName"]).name for file in document["files"]} == on_disk)


PRIMITIVES = {"hash", "mac", "signature", "kem", "combiner", "key-agree", "block-cipher", "ae", "kdf"}


def cyclonedx(document, prefix):
    fields("document", document, ["bomFormat", "specVersion", "version", "serialNumber", "metadata", "components", "dependencies"])
    need("version", (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1))
    matches("serial number", r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", document["serialNumber"])
    matches("timestamp", TIME, document["metadata"]["timestamp"])
    references = {document["metadata"]["component"]["bom-ref"]}
    for component in document["components"]:
        kind = component["type"]
        need(f"type {kind}", kind in ("application", "library", "cryptographic-asset"))
        need(f"{component['bom-ref']} twice", component["bom-ref"] not in references)
        references.add(component["bom-ref"])
        for one in component.get("hashes", []):
            path = next(row["value"] for row in component["properties"] if row["name"] == "airlock:path")
            check_hash(component["name"], prefix, path, one["alg"], one["content"])
        need("an application has hashes", kind != "application" or len(component["hashes"]) == 2)
        if kind == "library":
            matches("purl", PURL, component["purl"])
        if kind == "cryptographic-asset" and component["cryptoProperties"]["assetType"] == "algorithm":
            properties = component["cryptoProperties"]["algorithmProperties"]
            need(f"{component['name']}: primitive", properties["primitive"] in PRIMITIVES)
            need(f"{component['name']}: level", properties["nistQuantumSecurityLevel"] in range(7))
            matches("oid", r"[0-2](\.\d+)+", component["cryptoProperties"].get("oid", "1.1"))
    for row in document["dependencies"]:
        need(f"dependency {row['ref']}", {row["ref"], *row.get("dependsOn", [])} <= references)
    refs = [row["ref"] for row in document["dependencies"]]
    need("each component has one row of dependencies", sorted(refs) == sorted(references))
    try:
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
    except ImportError:
        return
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))
    need(f"the published schema refuses it: {error}", error is None)
    print("the published schema was asked")


def main():
    kind, path, prefix = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    {"spdx": spdx, "cyclonedx": cyclonedx}[kind](json.loads(pathlib.Path(path).read_text()), prefix)
    print("\n".join(faults))
    sys.exit(bool(faults))


main()
