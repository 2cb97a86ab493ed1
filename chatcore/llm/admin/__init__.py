"""Staff pages of the registry."""

from chatcore.llm.admin.deployments import DeploymentAdmin, DeploymentHealthAdmin
from chatcore.llm.admin.models import ModelAdmin
from chatcore.llm.admin.providers import ProviderAdmin

__all__ = ["DeploymentAdmin", "DeploymentHealthAdmin", "ModelAdmin", "ProviderAdmin"]
