import MailModel

/// What the DNS can be asked for.
package enum NameRecordType: UInt16, Hashable, Sendable, CaseIterable {
    case a = 1
    case pointer = 12
    case exchanger = 15
    case text = 16
    case aaaa = 28
}

/// One record of an answer.
package enum NameRecord: Hashable, Sendable {
    case address(IPAddress)
    /// A host's name for an address (PTR).
    case pointer(String)
    /// A mail server of the domain; an empty name says that there is none (RFC 7505).
    case exchanger(preference: UInt16, host: String)
    /// The strings of a TXT record, joined.
    case text(String)
}

/// What came of one question to the DNS.
package struct NameAnswer: Hashable, Sendable {
    package enum Outcome: Hashable, Sendable {
        case found
        /// The name is there, without such records.
        case noRecord
        case noName
        /// Nobody said so or so; in words why.
        case failed(String)
    }

    package var outcome: Outcome
    /// Of the type asked for, in the order of the answer, names in lower case without the dot at the end.
    package var records: [NameRecord]
    /// What the name stands for, one after the other (CNAME).
    package var aliases: [String]
    /// Seconds for which it may be remembered; 0 without records.
    package var lifetime: Int64

    package init(_ outcome: Outcome, records: [NameRecord] = [], aliases: [String] = [], lifetime: Int64 = 0) {
        self.outcome = outcome
        self.records = records
        self.aliases = aliases
        self.lifetime = lifetime
    }

    package var addresses: [IPAddress] {
        records.compactMap { if case .address(let address) = $0 { address } else { nil } }
    }
    package var texts: [String] {
        records.compactMap { if case .text(let text) = $0 { text } else { nil } }
    }
    package var pointers: [String] {
        records.compactMap { if case .pointer(let name) = $0 { name } else { nil } }
    }
    /// The best ones first.
    package var exchangers: [(preference: UInt16, host: String)] {
        records.compactMap { if case .exchanger(let preference, let host) = $0 { (preference, host) } else { nil } }
            .sorted { $0.preference < $1.preference }
    }
}

/// Asks the DNS.
package protocol NameService: Sendable {
    /// Never throws: not to know is an answer, too.
    /// - Parameter name: in ASCII.
    func ask(_ name: String, _ type: NameRecordType) async -> NameAnswer
}

/// Asks each question once.
actor RememberedNames: NameService {
    private struct Question: Hashable {
        var name: String
        var type: NameRecordType
    }

    private let service: any NameService
    private var answers: [Question: NameAnswer] = [:]

    init(_ service: any NameService) { self.service = service }

    func ask(_ name: String, _ type: NameRecordType) async -> NameAnswer {
        let question = Question(name: name.lowercased(), type: type)
        if let answer = answers[question] { return answer }
        let answer = await service.ask(question.name, type)
        answers[question] = answer
        return answer
    }
}

extension NameService {
    /// The addresses of a host of both kinds. Failed when either question failed and the other brought nothing.
    func addresses(of host: String) async -> NameAnswer {
        let four = await ask(host, .a)
        let six = await ask(host, .aaaa)
        let records = four.records + six.records
        guard records.isEmpty else {
            return NameAnswer(
                .found, records: records, aliases: four.aliases.isEmpty ? six.aliases : four.aliases,
                lifetime: min(four.lifetime, six.lifetime))
        }
        for answer in [four, six] { if case .failed = answer.outcome { return answer } }
        return four
    }
}
