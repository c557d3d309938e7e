"""Prints what pytest has found in several Envoys, from its JUnit report: a row for each test, a column for each Envoy."""

import re
import sys
import xml.etree.ElementTree as ElementTree

PLACE = re.compile(r"(\d+\.\d+\.\d+)-(\w+\.yaml)")


def cells(path):
    """(test, place, whether it passed; None if it was skipped)"""
    for case in ElementTree.parse(path).iter("testcase"):
        name, _, parameters = case.get("name").partition("[")
        place = PLACE.search(parameters)
        failed = any(case.find(kind) is not None for kind in ("failure", "error"))
        if place:
            skipped = case.find("skipped") is not None
            yield name.removeprefix("test_").replace("_", " "), " ".join(place.groups()), None if skipped else not failed


def main():
    table, places = {}, []
    for test, place, passed in cells(sys.argv[1]):
        table.setdefault(test, {}).setdefault(place, []).append(passed)
        places += [place] if place not in places else []
    places.sort(key=lambda place: [int(part) for part in place.split()[0].split(".")])
    width = max(map(len, table))
    print(" " * width, *(f"{place:>17}" for place in places))
    for test, found in table.items():
        print(f"{test:{width}}", *(f"{said(found.get(place, [])):>17}" for place in places))


def said(found):
    ran = [passed for passed in found if passed is not None]
    if not ran:
        return "-"
    return "ok" if all(ran) else f"{ran.count(False)} of {len(ran)} failed"


if __name__ == "__main__":
    main()
