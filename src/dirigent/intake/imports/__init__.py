"""Taking a company's CSV files into its records, by the rules of an `import.yaml`."""

from dirigent.intake.imports.importer import import_folder
from dirigent.intake.imports.report import Example, FileReport, ImportReport, RuleReport

__all__ = ["Example", "FileReport", "ImportReport", "RuleReport", "import_folder"]
