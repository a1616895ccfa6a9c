import MailModel

extension Deliverability {
    private typealias Finding = DeliverabilityFinding

    /// Whether answers and bounces find a way back: many receivers refuse mail from a domain that takes none.
    func exchangers() async -> [DeliverabilityFinding] {
        let domain = question.domain
        let answer = await names.ask(domain, .exchanger)
        switch answer.outcome {
        case .failed(let reason): return [unknown(.mx, "\(domain) MX", reason)]
        case .noName:
            return [Finding(.error, .mx, "\(domain) does not exist", mend: "register it, or mend its delegation")]
        case .noRecord: return await withoutExchanger(domain)
        case .found: break
        }
        let hosts = answer.exchangers
        if hosts.contains(where: { $0.host.isEmpty }) {
            let isAlone = hosts.count == 1
            return [
                Finding(
                    .error, .mx,
                    isAlone
                        ? "\(domain) says that it takes no mail (MX 0 .), and receivers refuse mail from such domains"
                        : "\(domain) has the record for no mail (MX 0 .) beside others",
                    mend: isAlone ? "put a server in its place" : "remove `MX 0 .`",
                    record: isAlone ? .init(domain, "MX", "10 mail.\(domain).") : nil)
            ]
        }
        var findings: [DeliverabilityFinding] = []
        for (preference, host) in hosts { findings += await exchanger(domain, preference, host) }
        if findings.isEmpty {
            findings.append(
                Finding(.ok, .mx, "\(domain) takes mail at \(hosts.map(\.host).joined(separator: ", "))"))
        }
        return findings
    }

    private func withoutExchanger(_ domain: String) async -> [DeliverabilityFinding] {
        let addresses = await names.addresses(of: domain)
        if case .failed(let reason) = addresses.outcome { return [unknown(.mx, "\(domain) A", reason)] }
        guard addresses.records.isEmpty else {
            return [
                Finding(
                    .warning, .mx, "\(domain) has no MX record; mail goes to its own address",
                    record: .init(domain, "MX", "10 \(domain)."))
            ]
        }
        return [
            Finding(
                .error, .mx, "\(domain) takes no mail: it has neither MX nor address, so nobody can answer or bounce",
                mend: "name the host that takes its mail", record: .init(domain, "MX", "10 mail.\(domain)."))
        ]
    }

    private func exchanger(_ domain: String, _ preference: UInt16, _ host: String) async -> [DeliverabilityFinding] {
        guard IPAddress(host) == nil else {
            return [
                Finding(
                    .error, .mx, "the MX of \(domain) is an address, \(host), and must be a name",
                    mend: "give the host a name", record: .init(domain, "MX", "\(preference) mail.\(domain)."))
            ]
        }
        let answer = await names.addresses(of: host)
        if case .failed(let reason) = answer.outcome { return [unknown(.mx, "\(host) A", reason)] }
        if let target = answer.aliases.last {
            return [
                Finding(
                    answer.records.isEmpty ? .error : .warning, .mx,
                    "the MX of \(domain), \(host), is an alias, which it must not be (RFC 2181 section 10.3)",
                    mend: "name what it stands for", record: .init(domain, "MX", "\(preference) \(target)."))
            ]
        }
        guard !answer.addresses.isEmpty else {
            return [
                Finding(
                    .error, .mx, "the MX of \(domain), \(host), has no address",
                    mend: "put the host's own address here", record: .init(host, "A", "192.0.2.1"))
            ]
        }
        guard answer.addresses.contains(where: { !Self.isUnreachable($0) }) else {
            return [
                Finding(
                    .warning, .mx,
                    "the MX of \(domain), \(host), has no address that others can reach: "
                        + answer.addresses.map(\.description).joined(separator: ", "))
            ]
        }
        return []
    }

    /// Loopback, private networks and the like; documentation's addresses stand for real ones.
    private static func isUnreachable(_ address: IPAddress) -> Bool {
        address.reservation.map { $0 != "documentation" } ?? false
    }

    /// Whether each sending address has a name that leads back to it.
    func addressNames() async -> [DeliverabilityFinding] {
        guard !question.addresses.isEmpty else {
            return [
                Finding(
                    .warning, .ptr, "the sending address is not known, so neither its name nor SPF was tried",
                    mend: "name it with --ip")
            ]
        }
        var findings: [DeliverabilityFinding] = []
        for address in question.addresses { findings += await addressName(address) }
        return findings
    }

    private func addressName(_ address: IPAddress) async -> [DeliverabilityFinding] {
        let host = question.greeting ?? "mail.\(question.domain)"
        let answer = await names.ask(address.reverseName, .pointer)
        switch answer.outcome {
        case .failed(let reason): return [unknown(.ptr, "\(address.reverseName) PTR", reason)]
        case .noName, .noRecord:
            return [
                Finding(
                    .error, .ptr, "\(address) has no name, and large receivers refuse mail from such addresses",
                    mend: "ask whoever gave you the address", record: .init(address.reverseName, "PTR", "\(host)."))
            ]
        case .found: break
        }
        var isUnknown = false
        for name in answer.pointers.prefix(SPFSurvey.hostLimit) {
            let back = await names.ask(name, address.bytes.count == 4 ? .a : .aaaa)
            if case .failed = back.outcome { isUnknown = true }
            guard back.addresses.contains(address) else { continue }
            guard !Self.isGeneric(name, address) else {
                return [
                    Finding(
                        .warning, .ptr, "\(address) has a name made of its numbers, \(name), as dialled-in hosts have",
                        mend: "ask whoever gave you the address",
                        record: .init(address.reverseName, "PTR", "\(host)."))
                ]
            }
            return [Finding(.ok, .ptr, "\(address) is \(name), and that leads back to it")]
        }
        let name = answer.pointers.first ?? host
        if isUnknown { return [unknown(.ptr, "\(name) A", "the question had no answer")] }
        return [
            Finding(
                .error, .ptr, "\(address) is called \(name), and that name does not lead back to it",
                record: .init(name, address.bytes.count == 4 ? "A" : "AAAA", "\(address)"))
        ]
    }

    private static func isGeneric(_ name: String, _ address: IPAddress) -> Bool {
        guard address.bytes.count == 4 else { return false }
        let numbers = address.bytes.map { "\($0)" }
        return [numbers, numbers.reversed()].contains { numbers in
            ["-", ".", "x"].contains { name.contains(numbers.joined(separator: $0)) }
        }
    }
}
