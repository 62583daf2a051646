"""`drill`: damage done on purpose to copies of model versions, to see that the gate would notice.

running, gating     copies damaged, verified by the engine together; what the gate itself answers
advice              why a damage was let through, and what would catch it
damages/            what happens to real versions, a module an area
contents            artifacts read and changed without TensorFlow
copies              copies that share storage with what they are copies of
trials              what came of it: nouns
"""
