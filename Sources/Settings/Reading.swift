/// Turns a document and the environment into typed values, and collects everything that is wrong on the way.
///
/// A value that cannot be used is replaced by its default, so that the rest is looked at too; the caller throws when
/// `findings` holds an error. The environment wins over the file.
struct Reading {
    /// Where a value was written.
    struct Origin {
        var file: String
        var line: Int?
        /// The key as its reader knows it: the path, or the environment variable.
        var key: String
    }

    private(set) var findings: [Finding]
    /// Paths that were asked for; a test compares them with the schema.
    private(set) var consumed: Set<String> = []
    private let file: String
    private let directory: String
    private var scalars: [String: (text: String, origin: Origin)] = [:]
    private var lists: [String: [Document.Node]] = [:]
    private var lines: [String: Int] = [:]
    /// Path of the list entry this reading is about; empty for the whole document.
    private let prefix: String

    /// Matches `document` and `environment` against the schema.
    ///
    /// - Parameter file: the document's name in findings; relative paths are resolved against its directory.
    init(document: Document, file: String, environment: [String: String]) {
        self.file = file
        directory = file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
        findings = document.findings
        prefix = ""
        collectSections(document.root)
        overlay(environment)
    }

    mutating func complain(
        _ severity: Finding.Severity = .error, at origin: Origin, _ message: String, _ mend: String
    ) {
        findings.append(
            Finding(severity, file: origin.file, line: origin.line, key: origin.key, message: message, mend: mend))
    }

    /// Where `path` was set, or where it could have been.
    func origin(of path: String) -> Origin {
        scalars[path]?.origin ?? Origin(file: file, line: lines[path], key: path)
    }

    /// Whether a value was written for `path`, right or wrong.
    func isSet(_ path: String) -> Bool { scalars[path] != nil || lists[path] != nil }
}

// MARK: Typed values

extension Reading {
    mutating func value<Value>(_ entry: Entry<Value>) -> Value {
        consumed.insert(entry.setting.path)
        guard let (text, origin) = scalars[entry.setting.path] else { return entry.defaultValue }
        do {
            return try entry.parse(text)
        } catch {
            complain(at: origin, error.message, error.mend)
            return entry.defaultValue
        }
    }

    /// A path, made absolute against the directory of the configuration file; empty stays empty.
    mutating func path(_ entry: Entry<String>) -> String {
        let text = value(entry)
        return text.isEmpty || text.hasPrefix("/") ? text : directory + text
    }

    /// Empty text as nil.
    mutating func optional(_ entry: Entry<String>) -> String? {
        let text = value(entry)
        return text.isEmpty ? nil : text
    }

    /// - Parameter unique: whether a value that is listed twice is a slip.
    mutating func values(_ entry: ListEntry, unique: Bool = true) -> [String] {
        consumed.insert(entry.setting.path)
        var values: [String] = []
        for (index, node) in (lists[entry.setting.path] ?? []).enumerated() {
            let origin = Origin(file: file, line: node.line, key: "\(entry.setting.path)[\(index + 1)]")
            if case .refused = node.content { continue }
            guard case .scalar(let text) = node.content else {
                complain(at: origin, "is no text", "write \(entry.rule.name)")
                continue
            }
            do {
                let value = try entry.rule.apply(text, allowsEmpty: false)
                if unique, values.contains(value) {
                    complain(at: origin, "`\(value)` is listed twice", "keep one of them")
                }
                values.append(value)
            } catch {
                complain(at: origin, error.message, error.mend)
            }
        }
        return values
    }

    /// The entries of a list of mappings, each as a reading of its own whose findings must be given back with `absorb`.
    mutating func mappings(_ setting: Setting) -> [Reading] {
        consumed.insert(setting.path)
        guard case .mappings(let keys) = setting.shape else { return [] }
        var entries: [Reading] = []
        for (index, node) in (lists[setting.path] ?? []).enumerated() {
            let prefix = "\(setting.path)[\(index + 1)]"
            if case .refused = node.content { continue }
            guard case .mapping(let pairs) = node.content else {
                let origin = Origin(file: file, line: node.line, key: prefix)
                complain(
                    at: origin, "is no mapping",
                    "write for example \(setting.example.dropFirst().prefix { $0 != "}" })}")
                continue
            }
            entries.append(Reading(entry: pairs, at: node.line, prefix: prefix, keys: keys, parent: self))
        }
        return entries
    }

    mutating func absorb(_ entry: Reading) { findings += entry.findings }

    /// The line of the mapping this reading is about.
    var start: Origin { Origin(file: file, line: lines[""], key: prefix) }

    private init(
        entry pairs: [(key: String, line: Int, value: Document.Node)], at line: Int, prefix: String, keys: [Setting],
        parent: Reading
    ) {
        file = parent.file
        directory = parent.directory
        findings = []
        self.prefix = prefix
        lines[""] = line
        collect(pairs, keys: keys, prefix: prefix)
    }
}

// MARK: Matching keys

extension Reading {
    private mutating func collectSections(_ root: Document.Node?) {
        guard let root else { return }
        switch root.content {
        case .nothing, .refused: return
        case .mapping(let pairs):
            for (key, line, value) in pairs { collectTop(key, line, value) }
        case .scalar, .list:
            complain(
                at: Origin(file: file, line: root.line, key: ""), "is no mapping of sections",
                "begin with a section, for example `milter:`")
        }
    }

    private mutating func collectTop(_ key: String, _ line: Int, _ value: Document.Node) {
        let origin = Origin(file: file, line: line, key: key)
        if let setting = Schema.settings.first(where: { $0.path == key }) {
            return collect(setting, at: setting.path, line, value)
        }
        guard let section = Schema.sections.first(where: { $0.name == key && !key.isEmpty }) else {
            let names = Schema.sections.map(\.name) + Schema.settings.filter { $0.section == nil }.map(\.path)
            return complain(at: origin, "is no section", mendForUnknown(key, among: names.filter { !$0.isEmpty }))
        }
        switch value.content {
        case .mapping(let pairs): collect(pairs, keys: section.settings, prefix: section.name)
        case .nothing, .refused: return
        case .scalar, .list:
            complain(at: origin, "is a section and holds keys, not a value", "indent its keys below it")
        }
    }

    private mutating func collect(
        _ pairs: [(key: String, line: Int, value: Document.Node)], keys: [Setting], prefix: String
    ) {
        for (key, line, value) in pairs {
            guard let setting = keys.first(where: { $0.name == key }) else {
                let origin = Origin(file: file, line: line, key: "\(prefix).\(key)")
                complain(at: origin, "is no key of \(prefix)", mendForUnknown(key, among: keys.map(\.name)))
                continue
            }
            collect(setting, at: "\(prefix).\(key)", line, value)
        }
    }

    /// Files a value under the setting's path, or complains that it has the wrong shape.
    private mutating func collect(_ setting: Setting, at key: String, _ line: Int, _ value: Document.Node) {
        let origin = Origin(file: file, line: line, key: key)
        lines[setting.path] = line
        switch (setting.shape, value.content) {
        case (_, .refused): return
        case (.scalar, .scalar(let text)):
            scalars[setting.path] = (text, origin)
        case (.scalar, .nothing):
            complain(at: origin, "has no value", "remove the line for the default, or write \"\" for empty text")
        case (.scalar, _):
            complain(
                at: origin, "takes one value, not a list or mapping", "write for example \(key): \(setting.example)")
        case (.list, .list(let items)), (.mappings, .list(let items)):
            lists[setting.path] = items
        case (.list, .nothing), (.mappings, .nothing):
            lists[setting.path] = []
        case (.list, _), (.mappings, _):
            complain(at: origin, "takes a list", "write for example \(key): \(setting.example)")
        }
    }

    private func mendForUnknown(_ key: String, among names: [String]) -> String {
        if let nearest = NearestName.to(key, among: names) { return "did you mean \(nearest)?" }
        if let elsewhere = Schema.settings.first(where: { $0.name == key }) { return "did you mean \(elsewhere.path)?" }
        return "remove it, or write one of \(names.joined(separator: ", "))"
    }
}

// MARK: Environment

extension Reading {
    /// Scalars from the environment replace those of the file. Variables that look like ours and are none get a
    /// warning: they may belong to somebody else, so they are no reason to refuse the start.
    private mutating func overlay(_ environment: [String: String]) {
        let known = Dictionary(Schema.settings.map { ($0.environmentName, $0) }) { first, _ in first }
        for (name, text) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix(Setting.environmentPrefix)
        {
            let origin = Origin(file: "environment", line: nil, key: name)
            guard let setting = known[name] else {
                warnAboutUnknown(name, origin, known: known.keys.sorted())
                continue
            }
            guard case .scalar = setting.shape else {
                complain(at: origin, "sets a list", "write \(setting.path) into the configuration file")
                continue
            }
            scalars[setting.path] = (text, origin)
        }
    }

    private mutating func warnAboutUnknown(_ name: String, _ origin: Origin, known: [String]) {
        let isOfSection = Schema.sections.contains { section in
            !section.name.isEmpty && name.hasPrefix(Setting.environmentPrefix + section.name.uppercased() + "_")
        }
        let nearest = NearestName.to(name, among: known)
        guard isOfSection || nearest != nil else { return }
        complain(
            .warning, at: origin, "is no setting and has no effect", nearest.map { "did you mean \($0)?" } ?? "unset it"
        )
    }
}
