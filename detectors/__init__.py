"""What runs on the nodes of a pair: it senses failing parts and says so by Node conditions.

Standard library only, and nothing of the operator: it runs on the Python of a small image, beside
node-problem-detector, which calls the plug-ins (`bin/detect <condition>`), and as `python -m detectors.watch`.
"""
