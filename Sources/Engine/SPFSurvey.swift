import MailModel

/// Walks through an SPF record and all that it includes, as the receiver of a mail that nothing fits would have to.
struct SPFSurvey {
    /// Terms that ask the DNS (RFC 7208 section 4.6.4).
    static let lookupLimit = 10
    /// Answers without a record.
    static let voidLimit = 2
    /// Servers of one `mx`, names of one `ptr`.
    static let hostLimit = 10
    /// Where counting ends: what is over the limit by so much needs no exact number.
    private static let patience = 50

    private let names: any NameService
    /// The terms, each with the domain whose record it stands in.
    private(set) var lookups: [String] = []
    private(set) var voids: [String] = []
    /// Why receivers give up.
    private(set) var errors: [String] = []
    private(set) var warnings: [String] = []

    init(names: any NameService) { self.names = names }

    mutating func walk(_ record: SPFRecord, of domain: String, within path: [String] = []) async {
        let path = path + [domain]
        for directive in record.directives {
            guard lookups.count < Self.patience else { return }
            await look(at: directive.mechanism, "`\(directive.text)` of \(domain)", domain, path)
            if case .all = directive.mechanism { return }
        }
        guard let redirect = record.redirect else { return }
        lookups.append("`redirect=\(redirect.text)` of \(domain)")
        await follow(redirect, "`redirect=\(redirect.text)` of \(domain)", path)
    }

    private mutating func look(
        at mechanism: SPFRecord.Mechanism, _ term: String, _ domain: String, _ path: [String]
    ) async {
        if mechanism.isLookup { lookups.append(term) }
        switch mechanism {
        case .all, .network: return
        case .include(let name): await follow(name, term, path)
        case .address(let name, _):
            if let host = literal(name, domain) { note(await names.addresses(of: host), term, isVoid: true) }
        case .exchanger(let name, _):
            guard let host = literal(name, domain) else { return }
            let answer = await names.ask(host, .exchanger)
            note(answer, term, isVoid: true)
            if answer.exchangers.count > Self.hostLimit {
                errors.append("\(term) has more than \(Self.hostLimit) mail servers")
            }
        case .pointer: warnings.append("\(term): `ptr` is slow and should not be used (RFC 7208 section 5.5)")
        case .exists(let name):
            if let host = literal(name, domain) { note(await names.ask(host, .a), term, isVoid: true) }
        }
    }

    /// Nil for a name that each mail makes anew.
    private func literal(_ name: SPFName?, _ domain: String) -> String? {
        guard let name else { return domain }
        return name.isLiteral ? name.text : nil
    }

    private mutating func note(_ answer: NameAnswer, _ term: String, isVoid: Bool) {
        switch answer.outcome {
        case .found: return
        case .noName, .noRecord: if isVoid { voids.append(term) }
        case .failed(let reason): warnings.append("\(term): \(reason)")
        }
    }

    private mutating func follow(_ name: SPFName, _ term: String, _ path: [String]) async {
        guard name.isLiteral else { return }
        let target = name.text.lowercased()
        guard !path.contains(target) else {
            errors.append("\(term) leads back to \(target)")
            return
        }
        let answer = await names.ask(target, .text)
        note(answer, term, isVoid: true)
        if case .failed = answer.outcome { return }
        switch answer.spfRecord {
        case .one(let record, _): await walk(record, of: target, within: path)
        case .none: errors.append("\(term) leads to no SPF record")
        case .several: errors.append("\(term): there is more than one SPF record at \(target)")
        case .malformed(let error, _): errors.append("\(term): the record of \(target) is broken: \(error)")
        }
    }
}

extension NameAnswer {
    /// What the TXT records of a name are as SPF (RFC 7208 section 4.5).
    enum SPF {
        case none
        case one(SPFRecord, text: String)
        case several([String])
        case malformed(MalformedRecord, text: String)
    }

    var spfRecord: SPF {
        let found = texts.filter(SPFRecord.isRecord)
        guard let text = found.first else { return .none }
        guard found.count == 1 else { return .several(found) }
        do throws(MalformedRecord) { return .one(try SPFRecord(text), text: text) } catch {
            return .malformed(error, text: text)
        }
    }
}
