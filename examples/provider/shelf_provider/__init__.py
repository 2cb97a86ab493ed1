from chatcore.llm.types import Finished, ProviderError, TextDelta, Usage


class ShelfProvider:
    LABEL = "Answers from the shelf"
    OPTIONS = {"shelf": "object of answers by model name"}

    def __init__(self, settings):
        self.shelf = settings.options.get("shelf", {"wisdom": "Measure twice, cut once."})

    async def stream(self, request):
        answer = self.shelf.get(request.model)
        if answer is None:
            raise ProviderError("not_found", f"nothing called {request.model} on the shelf")
        words = answer.split(" ")
        for word in words:
            yield TextDelta(word + " ")
        yield Usage(output_tokens=len(words), estimated=True)
        yield Finished("stop")

    async def models(self):
        return sorted(self.shelf)

    async def close(self):
        pass
