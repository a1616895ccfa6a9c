import MailModel

/// Decides whether a host may send in a domain's name: `check_host()` of RFC 7208 section 4.
struct SPFEvaluation {
    /// The raw values are the RFC's words.
    enum Result: String, Hashable, Sendable {
        case none, neutral, pass, fail, softfail, temperror, permerror

        init(_ qualifier: SPFRecord.Qualifier) {
            switch qualifier {
            case .pass: self = .pass
            case .fail: self = .fail
            case .softfail: self = .softfail
            case .neutral: self = .neutral
            }
        }
    }

    /// What ends the evaluation at any depth.
    private enum Abandonment: Error {
        case temporary, permanent
    }

    private let names: any NameService
    private let address: IPAddress
    private let sender: (localPart: String, domain: String)
    private let greeting: String
    private var lookups = 0
    private var voids = 0

    init(
        of address: IPAddress, sender domain: String, localPart: String = "postmaster", greeting: String? = nil,
        names: any NameService
    ) {
        self.address = address
        self.sender = (localPart, domain)
        self.greeting = greeting ?? domain
        self.names = names
    }

    mutating func run() async -> Result {
        do { return try await check(sender.domain) } catch Abandonment.temporary { return .temperror } catch {
            return .permerror
        }
    }

    private mutating func check(_ domain: String) async throws -> Result {
        let answer = await names.ask(domain, .text)
        if case .failed = answer.outcome { throw Abandonment.temporary }
        switch answer.spfRecord {
        case .none: return .none
        case .several, .malformed: throw Abandonment.permanent
        case .one(let record, _): return try await decide(record, domain)
        }
    }

    private mutating func decide(_ record: SPFRecord, _ domain: String) async throws -> Result {
        for directive in record.directives where try await fits(directive.mechanism, domain) {
            return Result(directive.qualifier)
        }
        guard let redirect = record.redirect else { return .neutral }
        try count()
        let result = try await check(filled(redirect, domain))
        if result == .none { throw Abandonment.permanent }
        return result
    }

    private mutating func fits(_ mechanism: SPFRecord.Mechanism, _ domain: String) async throws -> Bool {
        if mechanism.isLookup { try count() }
        switch mechanism {
        case .all: return true
        case .network(let network): return network.contains(address)
        case .include(let name):
            switch try await check(filled(name, domain)) {
            case .pass: return true
            case .fail, .softfail, .neutral: return false
            case .temperror: throw Abandonment.temporary
            case .none, .permerror: throw Abandonment.permanent
            }
        case .address(let name, let lengths):
            return try await isAddress(of: filled(name, domain), lengths, isCounted: true)
        case .exchanger(let name, let lengths):
            let answer = try await ask(filled(name, domain), .exchanger)
            guard answer.exchangers.count <= SPFSurvey.hostLimit else { throw Abandonment.permanent }
            for exchanger in answer.exchangers where !exchanger.host.isEmpty {
                if try await isAddress(of: exchanger.host, lengths, isCounted: false) { return true }
            }
            return false
        case .exists(let name):
            return try await !ask(filled(name, domain), .a).records.isEmpty
        case .pointer(let name): return await isNamed(within: filled(name, domain))
        }
    }

    private func filled(_ name: SPFName?, _ domain: String) -> String {
        guard let name else { return domain }
        return name.filled(
            for: SPFName.Mail(
                localPart: sender.localPart, senderDomain: sender.domain, domain: domain, address: address,
                greeting: greeting))
    }

    private mutating func count() throws {
        lookups += 1
        if lookups > SPFSurvey.lookupLimit { throw Abandonment.permanent }
    }

    private mutating func ask(_ name: String, _ type: NameRecordType) async throws -> NameAnswer {
        let answer = await names.ask(name, type)
        if case .failed = answer.outcome { throw Abandonment.temporary }
        if answer.outcome != .found {
            voids += 1
            if voids > SPFSurvey.voidLimit { throw Abandonment.permanent }
        }
        return answer
    }

    /// - Parameter isCounted: whether an answer without a record is one of the two that are allowed.
    private mutating func isAddress(
        of host: String, _ lengths: SPFRecord.Lengths, isCounted: Bool
    ) async throws -> Bool {
        let type: NameRecordType = address.bytes.count == 4 ? .a : .aaaa
        let answer: NameAnswer
        if isCounted {
            answer = try await ask(host, type)
        } else {
            answer = await names.ask(host, type)
            if case .failed = answer.outcome { throw Abandonment.temporary }
        }
        let length = address.bytes.count == 4 ? lengths.four : lengths.six
        return answer.addresses.contains { IPNetwork($0, length: length)?.contains(address) ?? false }
    }

    /// A name of the address that leads back to it and lies within the domain (section 5.5); errors say no.
    private func isNamed(within domain: String) async -> Bool {
        let domain = domain.lowercased()
        let type: NameRecordType = address.bytes.count == 4 ? .a : .aaaa
        for name in await names.ask(address.reverseName, .pointer).pointers.prefix(SPFSurvey.hostLimit) {
            guard name == domain || name.hasSuffix(".\(domain)") else { continue }
            if await names.ask(name, type).addresses.contains(address) { return true }
        }
        return false
    }
}
