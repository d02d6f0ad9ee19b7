"""What training, tangent matrices and sweeps ask of a module."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

__all__ = ["ModelContract"]


class ModelContract(ABC):
    """What training, tangent matrices and sweeps ask of a module."""

    @abstractmethod
    def make(self) -> nn.Module:
        """A new module; parameters as you like, the same shapes each time."""

    @abstractmethod
    def inputs(self, n: int) -> Tensor:
        """``n`` inputs (n, *input_shape), in the dtype of the parameters."""

    def test_n_inputs_give_n_rows_of_outputs(self) -> None:
        output = self.make()(self.inputs(4))
        assert output.dim() == 2
        assert output.shape[0] == 4

    def test_each_row_depends_on_its_own_input_alone(self) -> None:
        model, x = self.make(), self.inputs(4)
        alone = torch.cat([model(row) for row in x.split(1)])
        torch.testing.assert_close(model(x), alone)

    def test_the_same_input_gives_the_same_output_twice(self) -> None:
        model, x = self.make(), self.inputs(4)
        assert torch.equal(model(x), model(x))

    def test_state_dict_round_trips(self) -> None:
        model, other, x = self.make(), self.make(), self.inputs(4)
        other.load_state_dict(model.state_dict())
        assert torch.equal(model(x), other(x))

    def test_every_parameter_can_be_trained(self) -> None:
        model = self.make()
        model(self.inputs(4)).square().sum().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, f"{name} has no influence on the output"

    def test_stacked_models_compute_what_each_computes_alone(self) -> None:
        models, x = [self.make() for _ in range(3)], self.inputs(4)
        params, buffers = stack_module_state(models)

        def call(params: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
            return functional_call(models[0], (params, buffers), (x,))

        together = vmap(call)(params, buffers)
        torch.testing.assert_close(together, torch.stack([model(x) for model in models]))
