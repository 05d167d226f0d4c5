"""What people read: tables, explanations, certificates, benchmarks."""
