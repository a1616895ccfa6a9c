/// One key of the configuration, as the sample file, the reference page and the reader see it.
///
/// Everything known about a key stands in its declaration in `Schema`; there is no second list.
package struct Setting: Sendable {
    /// How the value is written.
    package enum Shape: Sendable {
        case scalar
        /// A list of scalars.
        case list
        /// A list of mappings with these keys, whose paths are relative to the entry.
        case mappings([Setting])
    }

    /// Path with dots, for example `milter.body_limit`; a key of the top level has none.
    package let path: String
    package let shape: Shape
    /// Type, unit and range in words.
    package let type: String
    /// The default as YAML writes it; nil when a value is required.
    package let defaultText: String?
    /// What it means, in sentences.
    package let meaning: String
    /// A value as YAML writes it that is no default, or a usual one.
    package let example: String

    /// The key inside its section.
    package var name: String { path.split(separator: ".").last.map(String.init) ?? path }

    /// The section, or nil for a key of the top level.
    package var section: String? { path.split(separator: ".").count > 1 ? path.prefix { $0 != "." }.description : nil }

    /// The environment variable that overrides a scalar: `POSTRIDER_` and the path in capitals with underscores.
    package var environmentName: String { Self.environmentPrefix + path.replacing(".", with: "_").uppercased() }

    /// Begins every environment variable that is looked at.
    package static let environmentPrefix = "POSTRIDER_"
}

/// A setting with the type of its value: declared once in `Schema`, read once by `Configuration`.
struct Entry<Value: Sendable>: Sendable {
    let setting: Setting
    let defaultValue: Value
    /// Reads one written scalar.
    let parse: @Sendable (String) throws(Complaint) -> Value

    private init(
        _ path: String, type: String, default value: Value, written: String, meaning: String, example: String,
        parse: @escaping @Sendable (String) throws(Complaint) -> Value
    ) {
        setting = Setting(
            path: path, shape: .scalar, type: type, defaultText: written, meaning: meaning, example: example)
        defaultValue = value
        self.parse = parse
    }
}

extension Entry<String> {
    /// Text under a rule. Empty text is accepted exactly when the default is empty or `allowsEmpty` says so.
    static func text(
        _ path: String, _ rule: TextRule = .any, default value: String = "", allowsEmpty: Bool = false, example: String,
        _ meaning: String
    ) -> Entry {
        let empty = allowsEmpty || value.isEmpty
        return Entry(
            path, type: rule.name + (empty ? "; may be empty" : ""), default: value, written: ScalarText.yaml(value),
            meaning: meaning, example: ScalarText.yaml(example)
        ) { text throws(Complaint) in try rule.apply(text, allowsEmpty: empty) }
    }
}

extension Entry<Int> {
    static func integer(
        _ path: String, _ range: ClosedRange<Int>, default value: Int, unit: String = "", example: Int,
        _ meaning: String
    ) -> Entry {
        let words = "from \(range.lowerBound) to \(range.upperBound)\(unit.isEmpty ? "" : " \(unit)")"
        return Entry(
            path, type: "whole number \(words)", default: value, written: "\(value)", meaning: meaning,
            example: "\(example)"
        ) { text throws(Complaint) in
            guard let number = Int(text) else {
                throw Complaint(message: "`\(text)` is no whole number", mend: "write a number \(words)")
            }
            guard range.contains(number) else {
                throw Complaint(message: "\(number) is out of range", mend: "write a number \(words)")
            }
            return number
        }
    }

    static func bytes(
        _ path: String, _ range: ClosedRange<Int>, default value: Int, example: Int, _ meaning: String
    ) -> Entry {
        let words = "from \(ByteSize.text(range.lowerBound)) to \(ByteSize.text(range.upperBound))"
        return Entry(
            path, type: "size \(words)", default: value, written: ByteSize.text(value), meaning: meaning,
            example: ByteSize.text(example)
        ) { text throws(Complaint) in
            guard let bytes = ByteSize.parse(text) else {
                throw Complaint(
                    message: "`\(text)` is no size",
                    mend: "write a whole number and B, KiB, MiB or GiB, for example 10MiB")
            }
            guard range.contains(bytes) else {
                throw Complaint(message: "\(text) is out of range", mend: "write a size \(words)")
            }
            return bytes
        }
    }
}

extension Entry<Duration> {
    static func duration(
        _ path: String, _ range: ClosedRange<Duration>, default value: Duration, example: Duration, _ meaning: String
    ) -> Entry {
        let words = "from \(DurationText.text(range.lowerBound)) to \(DurationText.text(range.upperBound))"
        return Entry(
            path, type: "duration \(words)", default: value, written: DurationText.text(value), meaning: meaning,
            example: DurationText.text(example)
        ) { text throws(Complaint) in
            guard let duration = DurationText.parse(text) else {
                throw Complaint(
                    message: "`\(text)` is no duration",
                    mend: "write a whole number and ms, s, m, h or d, for example 5s")
            }
            guard range.contains(duration) else {
                throw Complaint(message: "\(text) is out of range", mend: "write a duration \(words)")
            }
            return duration
        }
    }
}

extension Entry<Bool> {
    static func flag(_ path: String, default value: Bool, _ meaning: String) -> Entry {
        Entry(
            path, type: "true or false", default: value, written: "\(value)", meaning: meaning, example: "\(!value)"
        ) { text throws(Complaint) in
            guard let flag = Bool(text) else {
                throw Complaint(message: "`\(text)` is neither true nor false", mend: "write true or false")
            }
            return flag
        }
    }
}

extension Entry where Value: RawRepresentable<String> & CaseIterable {
    static func choice(_ path: String, default value: Value, example: Value, _ meaning: String) -> Entry {
        let names = Value.allCases.map(\.rawValue)
        let words =
            names.count > 1 ? names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1] : names[0]
        return Entry(
            path, type: words, default: value, written: value.rawValue, meaning: meaning, example: example.rawValue
        ) { text throws(Complaint) in
            if let choice = Value(rawValue: text) { return choice }
            let mend = NearestName.to(text, among: names).map { "did you mean \($0)?" } ?? "write \(words)"
            throw Complaint(message: "`\(text)` is none of the choices \(words)", mend: mend)
        }
    }
}

/// A setting that is a list of texts under one rule. Lists have no environment variable.
struct ListEntry: Sendable {
    let setting: Setting
    let rule: TextRule

    init(_ path: String, of rule: TextRule, example: [String], _ meaning: String) {
        let items = example.map(ScalarText.yaml).joined(separator: ", ")
        setting = Setting(
            path: path, shape: .list, type: "list; each entry: \(rule.name)", defaultText: "[]", meaning: meaning,
            example: "[\(items)]")
        self.rule = rule
    }
}
