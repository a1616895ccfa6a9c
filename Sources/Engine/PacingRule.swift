import MailModel
import WorkflowModel

/// A pace and whose it is.
package struct PacingRule: Hashable, Sendable {
    /// What is counted. Names listed together share the pace; `eachOne` gives everyone its own.
    package enum Subject: Hashable, Sendable {
        case relays([String])
        /// Slugs.
        case projects([String])
        /// Domains of recipients.
        case domains([String])
        /// Names of mail servers, or with `*.` in front all names that end so: domains whose mail goes there.
        case mailServers([String])
        /// Addresses and domains of From.
        case senders([String])
        case eachProject
        case eachDomain
        case eachSender
    }

    package var subject: Subject
    package var pace: Pace

    package init(_ subject: Subject, _ pace: Pace) {
        self.subject = subject
        self.pace = pace
    }

    /// The name under which its days are counted; a rule that is written anew with the same members goes on.
    func scope(of member: Int64) -> String {
        switch subject {
        case .relays(let names): "relays:" + names.sorted().joined(separator: ",")
        case .projects(let names): "projects:" + names.sorted().joined(separator: ",")
        case .domains(let names): "domains:" + names.sorted().joined(separator: ",")
        case .mailServers(let names): "servers:" + names.sorted().joined(separator: ",")
        case .senders(let names): "senders:" + names.sorted().joined(separator: ",")
        case .eachProject: "project:" + String(UInt64(bitPattern: member), radix: 16)
        case .eachDomain: "domain:" + String(UInt64(bitPattern: member), radix: 16)
        case .eachSender: "sender:" + String(UInt64(bitPattern: member), radix: 16)
        }
    }
}

/// One gate: a rule, and the member it counts; 0 where members share.
struct GateName: Hashable, Sendable {
    var rule: Int
    var member: Int64
}

/// The gates of all rules, made when somebody first comes to them.
struct PaceGates: Sendable {
    private let rules: [PacingRule]
    private var gates: [GateName: PaceGate] = [:]
    private var countsOfDay: [String: Int] = [:]
    private var day: Int64 = 0
    private static let usualLimit = 50_000
    private var limit = usualLimit

    private var byProject: [String: [Int]] = [:]
    private var byLane: [Int64: [Int]] = [:]
    /// Rules for mail servers, and what is known of who belongs to which.
    private var byServer: [(pattern: MailServerPattern, rule: Int)] = []
    private var groupOfLane: [Int64: [Int]] = [:]
    private var bySender: [String: [Int]] = [:]
    private var byRelay: [String: [Int]] = [:]
    private var eachProject: [Int] = []
    private var eachLane: [Int] = []
    private var eachSender: [Int] = []

    init(_ rules: [PacingRule]) {
        self.rules = rules
        for (index, rule) in rules.enumerated() {
            switch rule.subject {
            case .relays(let names): for name in names { byRelay[name, default: []].append(index) }
            case .projects(let names): for name in names { byProject[name, default: []].append(index) }
            case .domains(let names):
                for name in names { byLane[MailLane.of(domain: name), default: []].append(index) }
            case .mailServers(let names):
                for name in names { byServer.append((MailServerPattern(name), index)) }
            case .senders(let names):
                for name in names {
                    bySender[
                        name.contains("@") ? AddressText.normal(name) : AddressText.normalDomain(name), default: []
                    ].append(index)
                }
            case .eachProject: eachProject.append(index)
            case .eachDomain: eachLane.append(index)
            case .eachSender: eachSender.append(index)
            }
        }
    }

    /// - Parameter countsOfDay: attempts of that day so far, by scope. To be told before the first mail goes.
    mutating func goOn(countsOfDay: [String: Int], day: Int64) {
        self.countsOfDay = countsOfDay
        self.day = day
    }

    /// How many it keeps.
    var count: Int { gates.count }

    var pacesSenders: Bool { !bySender.isEmpty || !eachSender.isEmpty }

    var hasCeilings: Bool { rules.contains { $0.pace.hasCeiling } }

    // MARK: Whose gates

    func gates(ofRelay name: String) -> [GateName] { shared(byRelay[name]) }

    func gates(ofProject id: Identifier, slug: String?) -> [GateName] {
        if byProject.isEmpty, eachProject.isEmpty { return [] }
        let member = Int64(bitPattern: id.high ^ id.low)
        return shared(slug.flatMap { byProject[$0] }) + eachProject.map { GateName(rule: $0, member: member) }
    }

    /// A domain that a rule names has that rule's pace and none of those that are for everyone.
    func gates(ofLane lane: Int64) -> [GateName] {
        if let named = byLane[lane] ?? groupOfLane[lane] { return shared(named) }
        return eachLane.map { GateName(rule: $0, member: lane) }
    }

    /// Whether anybody has to know the mail servers of domains.
    var groupsByServer: Bool { !byServer.isEmpty }

    /// Domains that share the pace of a rule for mail servers.
    var groupedCount: Int { groupOfLane.count }

    /// From now on the domain shares the pace of the first rule that the best of these servers falls under, else the next; of
    /// none, it has a pace of its own. A domain that a rule names keeps that rule's, whoever takes its mail.
    /// - Returns: whether that is another pace than before.
    mutating func know(servers: [String], of lane: Int64) -> Bool {
        let byServer = byServer
        let rule = servers.lazy.compactMap { server in byServer.first { $0.pattern.matches(server) }?.rule }.first
        let before = groupOfLane.updateValue(rule.map { [$0] } ?? [], forKey: lane) ?? []
        if rule == nil { groupOfLane[lane] = nil }
        return before != (rule.map { [$0] } ?? [])
    }

    /// - Parameter sender: an address in lower case; empty for the null reverse path, which has no pace.
    func gates(ofSender sender: String) -> [GateName] {
        guard pacesSenders, let at = sender.lastIndex(of: "@") else { return [] }
        let domain = String(sender[sender.index(after: at)...])
        let named = (bySender[sender] ?? []) + (bySender[domain] ?? [])
        if !named.isEmpty { return shared(named) }
        let member = MailLane.of(domain: sender)
        return eachSender.map { GateName(rule: $0, member: member) }
    }

    private func shared(_ rules: [Int]?) -> [GateName] { (rules ?? []).map { GateName(rule: $0, member: 0) } }

    // MARK: Passing

    /// When all of them are open, and which of them is not.
    mutating func opening(of names: [GateName], at now: Timestamp) -> (opening: Opening, closed: GateName?) {
        prepare(names)
        var latest: (opening: Opening, closed: GateName?) = (.now, nil)
        for name in names {
            guard let gate = gates[name] else { continue }
            switch gate.opening(at: now) {
            case .now: continue
            case .afterAnEnd: return (.afterAnEnd, name)
            case .at(let time):
                if case .at(let other) = latest.opening, other >= time { continue }
                latest = (.at(time), name)
            }
        }
        return latest
    }

    mutating func enter(_ names: [GateName], at now: Timestamp) {
        for name in names {
            if gates[name] == nil { gates[name] = makeGate(name) }
            gates[name]?.enter(at: now)
        }
    }

    mutating func leave(_ names: [GateName]) { for name in names { gates[name]?.leave() } }
    mutating func undo(_ names: [GateName]) { for name in names { gates[name]?.undo() } }

    /// A gate that nobody has come to is open, but for one whose ceiling was reached before the start.
    private mutating func prepare(_ names: [GateName]) {
        for name in names where gates[name] == nil && rules[name.rule].pace.hasCeiling {
            gates[name] = makeGate(name)
        }
    }

    private func makeGate(_ name: GateName) -> PaceGate {
        let rule = rules[name.rule]
        return PaceGate(rule.pace, day: day, countOfDay: countsOfDay[rule.scope(of: name.member)] ?? 0)
    }

    /// Scopes whose attempts are counted by the day.
    func scopes(of names: [GateName]) -> [String] {
        names.filter { rules[$0.rule].pace.hasCeiling }.map { rules[$0.rule].scope(of: $0.member) }
    }

    func pace(of name: GateName) -> Pace { rules[name.rule].pace }

    /// Forgets gates that are as new, when there are many: those of domains that get a mail a month.
    mutating func tidy(at now: Timestamp) {
        guard gates.count > limit else { return }
        gates = gates.filter { !$1.isAsNew(at: now) }
        if day != PaceGate.day(of: now) { countsOfDay = [:] }
        // What must be kept is not gone through again for every mail.
        limit = max(Self.usualLimit, 2 * gates.count)
    }
}
