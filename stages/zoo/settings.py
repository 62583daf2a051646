"""What `params.yaml` says of one sample model."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """A model's section of `params.yaml`."""

    version: str
    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    formats: tuple[str, ...] = ("keras",)

    def steps(self, samples: int) -> int:
        """Training steps of all epochs."""
        return -(-samples // self.batch_size) * self.epochs
