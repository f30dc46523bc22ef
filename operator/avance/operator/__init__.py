"""The thin shell around the rules: it watches, asks the core what to do, records that, does it and reports.

watch ──> store ──> observe(pair) ──> core.plan ──> journal (AvanceAction) ──> effects ──> the world
                                          └───────> report (status, Events, metrics)
"""
