"""How good a method is: metrics, the data they are measured on, and a simple method to compare with."""
