# llr.testing imports from here on first use.
from ._engine_contract import EngineContract as EngineContract
from ._executor_contract import ExecutorContract as ExecutorContract
from ._model_contract import ModelContract as ModelContract
from ._store_contract import StoreContract as StoreContract

__all__ = ["EngineContract", "ExecutorContract", "ModelContract", "StoreContract"]
