"""What a person has recorded outside of workflows: credits, policies, accepted warnings, and the trail."""
