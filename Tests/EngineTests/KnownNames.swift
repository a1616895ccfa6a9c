import Engine
import MailModel

/// A DNS that knows what it was told, and counts what it is asked.
actor KnownNames: NameService {
    private let answers: [String: NameAnswer]
    private var names: Set<String> = []
    private(set) var questions: [String] = []

    /// - Parameter records: `example.com TXT v=spf1 -all`, one a line; `example.com TXT !` for a question without an answer.
    init(_ records: String) {
        var answers: [String: NameAnswer] = [:]
        for line in records.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 2).map(String.init)
            guard words.count == 3 else { continue }
            let (name, type, value) = (words[0], words[1], words[2])
            names.insert(name)
            let key = "\(name) \(type)"
            if value == "!" {
                answers[key] = NameAnswer(.failed("no answer"))
                continue
            }
            var answer = answers[key] ?? NameAnswer(.found, lifetime: 60)
            switch type {
            case "A", "AAAA": IPAddress(value).map { answer.records.append(.address($0)) }
            case "PTR": answer.records.append(.pointer(value))
            case "MX":
                let parts = value.split(separator: " ").map(String.init)
                answer.records.append(
                    .exchanger(preference: UInt16(parts[0]) ?? 0, host: parts[1] == "." ? "" : parts[1]))
            case "CNAME": break
            default: answer.records.append(.text(value))
            }
            answers[key] = answer
        }
        // An alias answers for every type, with what its target has.
        for line in records.split(separator: "\n") where line.contains(" CNAME ") {
            let words = line.split(separator: " ").map(String.init)
            for type in ["A", "AAAA", "MX", "TXT"] {
                var answer = answers["\(words[2]) \(type)"] ?? NameAnswer(.noRecord)
                answer.aliases = [words[2]]
                answers["\(words[0]) \(type)"] = answer
            }
        }
        self.answers = answers
    }

    func ask(_ name: String, _ type: NameRecordType) async -> NameAnswer {
        let word =
            switch type {
            case .a: "A"
            case .aaaa: "AAAA"
            case .exchanger: "MX"
            case .pointer: "PTR"
            case .text: "TXT"
            }
        questions.append("\(name) \(word)")
        return answers["\(name) \(word)"] ?? NameAnswer(names.contains(name) ? .noRecord : .noName)
    }
}
