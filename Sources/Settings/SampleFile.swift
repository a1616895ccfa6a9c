extension Schema {
    /// Width that comments of the sample file are wrapped at.
    private static let width = 100

    /// The commented sample configuration: every key with its default, ready to be edited. Ends with a line end.
    package static func sampleFile() -> String {
        var lines = comment(
            """
            Configuration of Postrider. Every value below is the default; a line may be removed, and a file may be \
            empty. Durations are written 250ms, 5s, 2m, 4h or 7d, sizes 512B, 64KiB or 10MiB. Unknown and repeated \
            keys are errors. Relative paths start at the directory of this file.
            """, indent: "")
        lines += comment(
            "The environment overrides every key that is no list: \(Setting.environmentPrefix), the path in capitals, "
                + "underscores for dots, for example \(Milter.bodyLimit.setting.environmentName)=25MiB.", indent: "")
        lines += comment("Check it with `postrider check`. Reference: Documentation/configuration.md.", indent: "")
        for section in sections { lines += [""] + sampleLines(section) }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func sampleLines(_ section: Section) -> [String] {
        var lines = comment(section.meaning, indent: "")
        let indent = section.name.isEmpty ? "" : "  "
        if !section.name.isEmpty { lines.append("\(section.name):") }
        for (index, setting) in section.settings.enumerated() {
            if index > 0 || section.name.isEmpty { lines.append("") }
            lines += sampleLines(setting, indent: indent)
        }
        return lines
    }

    private static func sampleLines(_ setting: Setting, indent: String) -> [String] {
        var lines = comment(setting.meaning, indent: indent)
        lines += comment("Type: \(setting.type). Example: \(setting.example)", indent: indent)
        if case .mappings(let keys) = setting.shape {
            for key in keys {
                let fallback = key.defaultText.map { $0 == "\"\"" ? "" : "; \($0) when left out" } ?? ""
                lines += comment("- \(key.name): \(key.type)\(fallback). \(key.meaning)", indent: indent, hanging: "  ")
            }
        }
        lines.append("\(indent)\(setting.name): \(setting.defaultText ?? setting.example)")
        return lines
    }

    /// `text` as comment lines, broken at blanks.
    private static func comment(_ text: String, indent: String, hanging: String = "") -> [String] {
        var lines: [String] = []
        var line = "\(indent)#"
        for word in text.split(separator: " ") {
            if line.count + 1 + word.count > width, line != "\(indent)#" {
                lines.append(line)
                line = "\(indent)#\(hanging)"
            }
            line += " \(word)"
        }
        return lines + [line]
    }
}
