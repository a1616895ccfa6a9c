import JSONValue

/// The options of a CONDITION: one of three ways to choose a branch.
package enum ConditionStep: Hashable, Sendable {
    /// One comparison: `yes` or `no`.
    case single(Condition)
    /// The language of segments: `yes` or `no`.
    case filter(Filter)
    /// One field, many comparisons in order: the id of the first that holds, else `otherwise`, nil being `default`.
    case multi(field: String, branches: [Branch], otherwise: String?)

    /// One way out of a CONDITION with many.
    package struct Branch: Hashable, Sendable {
        /// Tags the transition.
        package var id: String
        /// For people.
        package var name: String
        /// Its field is that of the step.
        package var condition: Condition

        package init(id: String, name: String, condition: Condition) {
            self.id = id
            self.name = name
            self.condition = condition
        }
    }

    /// The branch that is taken where no other is.
    package static let defaultBranch = "default"
    /// Branches of one CONDITION, at most.
    package static let branchLimit = 20

    /// The branches that its transitions may be tagged with.
    package var branchIDs: [String] {
        switch self {
        case .single, .filter: return ["yes", "no"]
        case .multi(_, let branches, let otherwise):
            let ids = branches.map(\.id)
            let last = otherwise ?? Self.defaultBranch
            return ids.contains(last) ? ids : ids + [last]
        }
    }

    /// Letters, digits, `_` and `-`, 1 to 64 of them.
    package static func isBranchID(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || byte == UInt8(ascii: "_")
                    || byte == UInt8(ascii: "-")
            }
    }
}
