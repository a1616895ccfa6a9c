import JSONValue
import WorkflowModel

/// The segments of one project, and which of them a change concerns. Each stands behind those that its filter asks for,
/// so that one pass in this order sees every consequence.
package struct SegmentIndex: Sendable {
    package let segments: [SegmentRecord]
    /// Positions of the DYNAMIC ones.
    let dynamic: [Int]
    private let byReference: [String: Int]
    private let byField: [Field: [Int]]
    private let byEvent: [String: [Int]]
    private let bySegment: [Identifier: [Int]]
    /// By position.
    private let traits: [Traits]

    /// What is asked of a segment again and again.
    struct Traits {
        /// Whether time alone may change what its filter says.
        var isTimed: Bool
        /// Positions of those whose filter asks for it.
        var dependents: [Int]
    }

    /// What of a contact a filter asks for.
    private enum Field: Hashable {
        case email, subscription, update, allData
        /// A key of the data.
        case key(String)
    }

    package init(_ segments: [SegmentRecord] = []) {
        let ordered = Self.ordered(segments)
        var byReference: [String: Int] = [:]
        for (position, segment) in ordered.enumerated() {
            byReference[segment.slug] = position
            byReference["\(segment.id)"] = position
        }
        var byField: [Field: [Int]] = [:]
        var byEvent: [String: [Int]] = [:]
        var bySegment: [Identifier: [Int]] = [:]
        for (position, segment) in ordered.enumerated() {
            guard let filter = segment.filter else { continue }
            for field in Set(filter.conditions.flatMap(Self.fields)) { byField[field, default: []].append(position) }
            for event in filter.lookedBackEvents { byEvent[event, default: []].append(position) }
            let referred = Set(filter.segments.compactMap { byReference[$0].map { ordered[$0].id } })
            for id in referred { bySegment[id, default: []].append(position) }
        }
        self.segments = ordered
        self.byReference = byReference
        self.byField = byField
        self.byEvent = byEvent
        self.bySegment = bySegment
        dynamic = ordered.indices.filter { ordered[$0].filter != nil }
        traits = ordered.map {
            Traits(isTimed: $0.filter?.mentionsTime == true, dependents: bySegment[$0.id] ?? [])
        }
    }

    /// By id or slug.
    package func segment(_ reference: String) -> SegmentRecord? { byReference[reference].map { segments[$0] } }

    func traits(at position: Int) -> Traits { traits[position] }

    func position(of id: Identifier) -> Int? { byReference["\(id)"] }

    // MARK: Whom a change concerns

    /// - Parameter before: nil for a new contact, which concerns all: a filter may ask for what is not there.
    package func positions(concernedBy before: Contact?, _ after: Contact) -> [Int] {
        guard let before else { return dynamic }
        if byField.isEmpty { return [] }
        var isConcerned = Array(repeating: false, count: segments.count)
        func add(_ field: Field) { for position in byField[field] ?? [] { isConcerned[position] = true } }
        if before.email != after.email { add(.email) }
        if before.isSubscribed != after.isSubscribed { add(.subscription) }
        if before.updatedAt != after.updatedAt { add(.update) }
        if before.data != after.data {
            add(.allData)
            for key in Set(before.data.keys).union(after.data.keys) where before.data[key] != after.data[key] {
                add(.key(key))
            }
        }
        return isConcerned.indices.filter { isConcerned[$0] }
    }

    package func positions(asking event: String) -> [Int] { byEvent[event] ?? [] }

    package func positions(asking segment: Identifier) -> [Int] { bySegment[segment] ?? [] }

    /// A path begins with a key of the data: all of it, or what stands before its first dot.
    private static func fields(of condition: Condition) -> [Field] {
        switch condition.contactPart {
        case .email?: [.email]
        case .subscription?: [.subscription]
        case .update?: [.update]
        case .data(nil)?: [.allData]
        case .data(let path?)?: [.key(path)] + (path.firstDot.map { [.key(String(path[..<$0]))] } ?? [])
        case .whole?: [.email, .subscription, .update, .allData]
        case .id?, .creation?, .nowhere?, nil: []
        }
    }

    // MARK: Order

    /// What would be a circle is refused when it is saved; one that is stored all the same goes last.
    private static func ordered(_ segments: [SegmentRecord]) -> [SegmentRecord] {
        var references: [String: Identifier] = [:]
        for segment in segments {
            references[segment.slug] = segment.id
            references["\(segment.id)"] = segment.id
        }
        var placed: Set<Identifier> = []
        var ordered: [SegmentRecord] = []
        var rest = segments
        while !rest.isEmpty {
            let ready = rest.filter { segment in
                segment.filter?.segments.allSatisfy { name in references[name].map(placed.contains) ?? true } ?? true
            }
            guard !ready.isEmpty else { return ordered + rest }
            ordered += ready
            placed.formUnion(ready.map(\.id))
            rest.removeAll { placed.contains($0.id) }
        }
        return ordered
    }

    /// The way from a segment over others back to itself, by slugs, if it had that filter; nil when there is none.
    func circle(through segment: SegmentRecord) -> [String]? {
        func next(_ record: SegmentRecord) -> [SegmentRecord] {
            (record.filter?.segments ?? []).sorted().compactMap { name in
                name == segment.slug || name == "\(segment.id)" ? segment : self.segment(name)
            }
        }
        var seen: Set<Identifier> = []
        func way(from record: SegmentRecord) -> [String]? {
            for target in next(record) {
                if target.id == segment.id { return [record.slug, segment.slug] }
                guard seen.insert(target.id).inserted else { continue }
                if let way = way(from: target) { return [record.slug] + way }
            }
            return nil
        }
        return way(from: segment)
    }
}
