"""The series that an Envoy tells at /stats/prometheus, as they are when they are asked for."""

import collections

from prometheus_client.parser import text_string_to_metric_families


class Series:
    """What /stats/prometheus says now."""

    def __init__(self, envoy):
        text = envoy.get("/stats/prometheus")
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    def counted(self, name, labels):
        """The samples of a counter or gauge with these labels, whatever others they have."""
        return [s for s in self.samples if s.name in (name, f"{name}_total") and labels.items() <= s.labels.items()]

    def value(self, name, **labels):
        """The sum of the samples with these labels."""
        return sum(sample.value for sample in self.counted(name, labels))

    def by(self, name, label, **labels):
        """The values of a counter by one of its labels, of the samples that have these others."""
        sums = collections.Counter()
        for sample in self.counted(name, labels):
            sums[sample.labels.get(label)] += int(sample.value)
        return +sums

    def labels(self, name):
        return [sample.labels for sample in self.samples if sample.name in (name, f"{name}_total", f"{name}_count")]
