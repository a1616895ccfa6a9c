import Engine
import JSONValue

/// Reads the members of a request's body. Every problem is found before the first is reported.
struct BodyReader {
    private let object: JSONObject
    private var problems: [APIError.Problem] = []

    /// - Parameter keys: all members that the body may have; others are reported.
    /// - Throws: `APIError` 422 when it is no object.
    init(_ body: JSON, keys: Set<String>) throws {
        guard let object = body.objectValue else {
            throw APIError.invalid([.init(field: "", message: "the body must be an object")])
        }
        self.object = object
        for key in object.keys where !keys.contains(key) {
            report(
                key,
                keys.isEmpty
                    ? "is not known here; this request has no members"
                    : "is not known here; known are \(keys.sorted().joined(separator: ", "))")
        }
    }

    /// - Throws: `APIError` 422 with everything that was reported.
    func finish() throws {
        if !problems.isEmpty { throw APIError.invalid(problems) }
    }

    mutating func report(_ field: String, _ message: String) { problems.append(.init(field: field, message: message)) }

    /// Takes over what was reported of a part of the body.
    mutating func report(_ part: BodyReader, at path: String) {
        for problem in part.problems { report("\(path).\(problem.field)", problem.message) }
    }

    func has(_ key: String) -> Bool { object[key] != nil }

    // MARK: Members

    /// Nil when it is missing.
    func value(_ key: String) -> JSON? { object[key] }

    /// A text without blanks around it and without control characters; nil when it is missing, or invalid and reported.
    mutating func text(_ key: String, limit: Int, required: Bool = false) -> String? {
        guard let value = object[key] else {
            if required { report(key, "is missing") }
            return nil
        }
        guard let text = value.stringValue?.strippedOfBlanks, !text.isEmpty else {
            report(key, "must be a text that is not blank")
            return nil
        }
        guard text.count <= limit else {
            report(key, "must not be longer than \(limit) characters")
            return nil
        }
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            report(key, "must not have control characters")
            return nil
        }
        return text
    }

    /// Text of several lines. An inner nil is null or a blank text.
    mutating func note(_ key: String, limit: Int) -> String?? {
        guard let value = object[key] else { return nil }
        if value.isNull { return .some(nil) }
        guard let text = value.stringValue?.strippedOfBlanks else {
            report(key, "must be a text or null")
            return nil
        }
        guard text.count <= limit else {
            report(key, "must not be longer than \(limit) characters")
            return nil
        }
        let isPlain = text.unicodeScalars.allSatisfy {
            $0.properties.generalCategory != .control || $0 == "\n" || $0 == "\r" || $0 == "\t"
        }
        guard isPlain else {
            report(key, "must not have control characters other than line ends")
            return nil
        }
        return .some(text.isEmpty ? nil : text)
    }

    mutating func flag(_ key: String) -> Bool? {
        guard let value = object[key] else { return nil }
        guard let flag = value.boolValue else {
            report(key, "must be true or false")
            return nil
        }
        return flag
    }

    mutating func object(_ key: String) -> JSONObject? {
        guard let value = object[key] else { return nil }
        guard let object = value.objectValue else {
            report(key, "must be an object")
            return nil
        }
        return object
    }

    mutating func integer(_ key: String, in range: ClosedRange<Int64>) -> Int? {
        guard let value = object[key] else { return nil }
        guard let number = value.intValue, range.contains(number) else {
            report(key, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return Int(number)
    }
}
