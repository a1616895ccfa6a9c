import JSONValue

#if canImport(Glibc)
    import Glibc
#endif

/// One case of the golden file: what a template must render, or that it must be refused.
struct GoldenCase {
    var name: String
    var template: String
    var data: JSONObject
    var partials: [(String, String)]
    /// Any of these; none means that parsing or rendering must fail.
    var results: [String]
    var isStrict: Bool

    init?(_ json: JSON) {
        guard let name = json["name"]?.stringValue, let template = json["template"]?.stringValue else { return nil }
        self.name = name
        self.template = template
        data = json["data"]?.objectValue ?? JSONObject()
        partials = (json["templates"]?.objectValue ?? JSONObject()).compactMap { name, value in
            value.stringValue.map { (name, $0) }
        }
        if json["invalid"]?.boolValue == true {
            results = []
        } else if let result = json["result"]?.stringValue {
            results = [result]
        } else {
            results = json["results"]?.arrayValue?.compactMap(\.stringValue) ?? []
        }
        isStrict = json["tags"]?.arrayValue?.contains("strict") ?? false
    }
}

/// Where test data lies.
enum TestFiles {
    /// The file's bytes; nil when it is absent.
    static func read(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
    }

    /// The corpora beside the package, or where `POSTRIDER_CORPORA` says.
    static func corpora(file: String = #filePath) -> String {
        if let path = getenv("POSTRIDER_CORPORA") { return String(cString: path) }
        let root = file.split(separator: "/").dropLast(3)
        return "/" + root.joined(separator: "/") + "/../shared/corpora"
    }

    /// A file beside this one.
    static func beside(_ name: String, file: String = #filePath) -> String {
        "/" + file.split(separator: "/").dropLast().joined(separator: "/") + "/" + name
    }
}
