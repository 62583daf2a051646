"""The stages of the DVC pipeline: each module is the script of one stage and reads its section of `params.yaml`."""
