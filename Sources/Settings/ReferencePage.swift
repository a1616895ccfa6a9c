extension Schema {
    /// The reference page of the configuration in Markdown. Ends with a line end.
    package static func referencePage() -> String {
        ([introduction] + sections.map(referenceText)).joined(separator: "\n\n") + "\n"
    }

    private static let introduction = """
        # Configuration

        This page is generated from the schema in `Sources/Settings`; so is the commented sample
        [`conf/postrider.yaml`](../conf/postrider.yaml).

        **The file** is YAML, UTF-8, at most \(ByteSize.text(Document.sizeLimit)). Every key has a default, so it may be
        empty. Unknown keys, repeated keys, wrong types and values out of range are errors. All of them are reported at
        once, each with file and line, the key, and what to write instead. Anchors and aliases (`&`, `*`) are refused.
        Paths that do not begin with `/` start at the directory of the file.

        **The environment** overrides every key that is no list: `\(Setting.environmentPrefix)`, then the path in
        capitals with underscores for dots. `\(Milter.bodyLimit.setting.environmentName)=25MiB` sets
        `\(Milter.bodyLimit.setting.path)`.

        **Secrets** are read from files named by keys that end in `_file`, so that the configuration itself can be
        shown to anybody.

        **Types.** A duration is a whole number and one of `ms`, `s`, `m`, `h`, `d`. A size is a whole number and one of
        `B`, `KiB`, `MiB`, `GiB`. Numbers without a unit are accepted only where a count is asked for. Text that YAML
        could take for something else belongs in double quotes: `"0660"`.
        """

    private static func referenceText(_ section: Section) -> String {
        let title = section.name.isEmpty ? "Keys of the top level" : "`\(section.name)`"
        return (["## \(title)", section.meaning] + section.settings.map(referenceText)).joined(separator: "\n\n")
    }

    private static func referenceText(_ setting: Setting) -> String {
        var facts = ["- Type: \(setting.type)"]
        if let fallback = setting.defaultText { facts.append("- Default: `\(fallback)`") }
        facts.append("- Example: `\(setting.name): \(setting.example)`")
        if case .scalar = setting.shape { facts.append("- Environment: `\(setting.environmentName)`") }
        var parts = ["### `\(setting.path)`", setting.meaning, facts.joined(separator: "\n")]
        if case .mappings(let keys) = setting.shape { parts.append(table(of: keys)) }
        return parts.joined(separator: "\n\n")
    }

    private static func table(of keys: [Setting]) -> String {
        let rows = keys.map { key in
            let fallback = key.defaultText.map { $0 == "\"\"" ? "–" : "`\($0)`" } ?? "–"
            return "| `\(key.name)` | \(key.type) | \(fallback) | \(key.meaning) |"
        }
        return (["| key | type | default | meaning |", "|---|---|---|---|"] + rows).joined(separator: "\n")
    }
}
